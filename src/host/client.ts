import { lstatSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Home } from '../config/home.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { unreachable } from '../domain/unreachable.ts';
import { frameBytes, frameJson, openFrameReader, type Frame } from './frame.ts';
import { hostPaths, listHostMajors } from './paths.ts';
import type { ConnectError, ConnectHost, ConnectOptions, Disconnected, HostConnection, HostListeners } from './port.ts';
import { protocolMajor, type HostError, type Message, type ReplyValue, type RequestBody } from './protocol.ts';
import { startHost } from './start.ts';
import { version } from './version.ts';

type Answer = Result<ReplyValue, HostError | Disconnected>;

/** A host may end between our look and our knock: it is tried again so many times. */
const maxTries = 4;

/** Connects to the host of a home, started when it is not there and `start` says so. */
export const connectHost: ConnectHost = async ({ home, what, start, idleMs }) => {
  for (let tries = 0; ; tries += 1) {
    const connection = await connectMajor(home, what, protocolMajor);
    if (connection.ok || connection.error.kind !== 'no-host' || !start || tries === maxTries) return connection;
    const started = await startHost(home, protocolMajor, idleMs);
    if (!started.ok) return started;
  }
};

/**
 * Begins to connect at once, while the caller still makes ready. The first `connect` gets that connection, later ones their own;
 * disposing of it closes a connection that nobody asked for.
 */
export function connectAhead(options: ConnectOptions): AsyncDisposable & { readonly connect: ConnectHost } {
  let ahead: ReturnType<ConnectHost> | null = connectHost(options);
  ahead.catch(() => {}); // told to whoever uses it; a home that cannot be used has been refused by then
  return {
    connect(given) {
      const begun = ahead ?? connectHost(given);
      ahead = null;
      return begun;
    },
    async [Symbol.asyncDispose]() {
      const unused = await ahead?.catch(() => null);
      if (unused?.ok === true) unused.value[Symbol.dispose]();
    },
  };
}

/** Connects to every living host of a home, those of other protocol majors included, newest first; starts none. */
export async function connectHosts(home: Home, what: string): Promise<HostConnection[]> {
  const found = await Promise.all(listHostMajors(home).map((major) => connectMajor(home, what, major)));
  return found.flatMap((connection) => (connection.ok ? [connection.value] : []));
}

/** One line for a person about why there is no connection. */
export function describeConnectError(error: ConnectError): string {
  switch (error.kind) {
    case 'no-host':
      return 'no host is running: nothing has been started in this home, or all of it has ended';
    case 'not-yours':
      return `${error.path} belongs to user ${error.uid}: it is not touched; set CIS_HOME to a directory of your own`;
    case 'did-not-start':
      return `the host did not start (${error.detail}): see ${error.log}`;
    default:
      return unreachable(error);
  }
}

/** One line for a person about what a host said no to. */
export function describeHostError(error: HostError | Disconnected): string {
  switch (error.kind) {
    case 'unknown-session':
      return `there is no session ${error.session}`;
    case 'session-exists':
      return `session ${error.session} exists already`;
    case 'session-ended':
      return `session ${error.session} has ended`;
    case 'old-epoch':
      return `run ${error.run} is driven by a newer process (epoch ${error.seen}, ours is ${error.epoch})`;
    case 'not-started':
      return error.reason;
    case 'sessions-alive':
      return `${error.sessions.length} sessions are alive: ${error.sessions.slice(0, 5).join(', ')}`;
    case 'block-gone':
      return `the question ${error.block} is no longer there`;
    case 'already-answered':
      return `${error.block} was answered by ${error.source.by} already`;
    case 'person-typing':
      return `somebody is typing in ${error.session}`;
    case 'answer-not-taken':
      return `the program did not take the answer to ${error.block}: ${error.detail}`;
    case 'stopping':
      return 'the host is stopping';
    case 'bad-request':
      return error.detail;
    case 'disconnected':
      return 'the host is gone';
    default:
      return unreachable(error);
  }
}

async function connectMajor(home: Home, what: string, major: number): Promise<Result<HostConnection, ConnectError>> {
  const path = hostPaths(home, process.env, major).socket;
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return err({ kind: 'no-host' });
  if (stat.uid !== process.geteuid?.()) return err({ kind: 'not-yours', path, uid: stat.uid });
  const socket = await openSocket(path);
  if (socket === null) return err({ kind: 'no-host' });
  const connection = openConnection(socket);
  const hello = await connection.request({ kind: 'hello', version, what });
  if (hello.ok) return ok(connection);
  connection[Symbol.dispose]();
  return err({ kind: 'no-host' });
}

function openSocket(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}

/** Speaks with a host over what leads to it: its socket, or a channel to another node. */
export function openConnection(socket: Duplex): HostConnection {
  const waiting = new Map<number, (answer: Answer) => void>();
  const closed = Promise.withResolvers<void>();
  const read = openFrameReader();
  let listeners: Partial<HostListeners> = {};
  let requests = 0;
  let isClosed = false;
  let isGathering = false;

  /** What is asked in one go is one write, which wakes the host once. */
  function send(frame: Buffer): void {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      process.nextTick(() => {
        isGathering = false;
        socket.uncork();
      });
    }
    socket.write(frame);
  }

  function take(frame: Frame): void {
    if (frame.kind === 'bytes') return listeners.output?.(frame.attachment, frame.bytes);
    const message = JSON.parse(frame.text) as Message;
    switch (message.kind) {
      case 'reply':
        waiting.get(message.id)?.(message.ok ? ok(message.value) : err(message.error));
        return void waiting.delete(message.id);
      case 'journal':
        return listeners.journal?.(message.run, message.entry);
      case 'poke':
        return listeners.poke?.(message.run);
      case 'attachment-ended':
        return listeners.attachmentEnded?.(message.attachment, message.reason);
      default:
        return; // a newer host of our major says more than we know
    }
  }

  function close(): void {
    isClosed = true;
    for (const answer of waiting.values()) answer(err({ kind: 'disconnected' }));
    waiting.clear();
    closed.resolve();
  }

  socket.on('data', (chunk: Buffer) => {
    for (const frame of read(chunk)) take(frame);
  });
  socket.on('error', () => {});
  socket.on('close', close);
  socket.on('end', () => socket.end());
  return {
    request: (body) =>
      new Promise((resolve) => {
        if (isClosed) return resolve(err({ kind: 'disconnected' }));
        requests += 1;
        waiting.set(requests, resolve);
        send(frameJson({ id: requests, ...body } satisfies RequestBody & { id: number }));
      }),
    type: (attachment, bytes) => void (isClosed || socket.write(frameBytes(attachment, bytes))),
    listen: (given) => {
      listeners = { ...listeners, ...given };
    },
    closed: closed.promise,
    [Symbol.dispose]: () => socket.destroy(),
  };
}
