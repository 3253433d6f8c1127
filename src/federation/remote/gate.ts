import { existsSync } from 'node:fs';
import { recordingPath, type Home } from '../../config/home.ts';
import type { AnswerSource, Block } from '../../domain/block.ts';
import { parseSessionId, sessionOfBlock, type RunId, type SessionId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { connectHosts } from '../../host/client.ts';
import { followCast } from '../../host/follow-cast.ts';
import { lastBytes, lastLines } from '../../host/last-lines.ts';
import { frameBytes, frameJson, openFrameReader, type Frame } from '../../host/frame.ts';
import type { Disconnected, HostConnection } from '../../host/port.ts';
import type { HostedSession, HostError, Message, ReplyValue } from '../../host/protocol.ts';
import { decodeRecording, renderTranscript } from '../../host/transcript.ts';
import { version } from '../../host/version.ts';
import type { Channel } from './channel.ts';
import type { Caller } from './line.ts';
import { Pacer } from './pacer.ts';
import type { LogRequest, RemoteRequest } from './protocol.ts';

export interface GateOptions {
  readonly home: Home;
  /** Asked again from time to time: trust may be taken back while a channel is open. An error is told to the caller. */
  readonly mayStay: (caller: Caller) => Result<null, string>;
  /**
   * Whether others may see and act on the sessions of a run: of those that gave this node work. What was started in this home itself
   * is nobody's business.
   */
  readonly maySee: (run: RunId) => boolean;
  /** Whether what a caller says of who gave an answer is believed: a coordinator hands on what people say in rooms. */
  readonly speaksForOthers: (caller: Caller) => boolean;
  /** Whether passwords may be given from elsewhere. */
  readonly takesPasswords: () => boolean;
  /** Masks the node's secrets in text that is read elsewhere. */
  readonly mask: (text: string) => string;
  readonly say?: (line: string) => void;
}

interface Attached {
  readonly host: HostConnection;
  readonly pacer: Pacer;
  readonly session: SessionId;
}

type Reply = Result<ReplyValue, HostError | Disconnected>;

/** Serves what one caller asks of the sessions of this node, until the channel ends. */
export function serveCaller(options: GateOptions, channel: Channel, caller: Caller): void {
  new Gate(options, channel, caller).open();
}

/** Of a recording that is followed, not more than this comes at first when only its last lines are wanted. */
const firstBytes = 256 * 1024;
const checkMs = 3_000;
const maxRequestBytes = 1024 * 1024;
const maxWaiting = 64;
/** Numbers of logs, out of the way of the host's attachments. */
const firstLog = 0x8000_0000;

class Gate {
  readonly #options: GateOptions;
  readonly #channel: Channel;
  readonly #caller: Caller;
  readonly #pacers = new Map<number, Attached>();
  readonly #followed = new Set<RunId>();
  #hosts: Promise<readonly HostConnection[]> | null = null;
  readonly #blocks = new Map<SessionId, Block>();
  #logs = 0;
  /** One request after the other: what is typed after an attach must not overtake it. */
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: GateOptions, channel: Channel, caller: Caller) {
    this.#options = options;
    this.#channel = channel;
    this.#caller = caller;
  }

  open(): void {
    const read = openFrameReader(maxRequestBytes);
    this.#channel.on('data', (chunk: Buffer) => {
      try {
        for (const frame of read(chunk)) this.#take(frame);
      } catch {
        this.#channel.endWith('what was sent is no request');
      }
    });
    this.#channel.on('error', () => {});
    const check = setInterval(() => {
      const verdict = this.#options.mayStay(this.#caller);
      if (!verdict.ok) this.#channel.endWith(verdict.error);
    }, checkMs);
    this.#channel.on('close', () => {
      clearInterval(check);
      void this.#close();
    });
  }

  async #close(): Promise<void> {
    for (const { pacer } of this.#pacers.values()) pacer.stop();
    this.#pacers.clear();
    for (const host of (await this.#hosts) ?? []) host[Symbol.dispose]();
  }

  #take(frame: Frame): void {
    if (frame.kind === 'bytes') {
      const { attachment } = frame;
      const bytes = Buffer.from(frame.bytes);
      this.#inTurn(async () => this.#type(attachment, bytes));
      return;
    }
    const request = JSON.parse(frame.text) as RemoteRequest;
    this.#inTurn(async () => {
      const reply = await this.#answer(request);
      if (reply !== null) this.#reply(request.id, reply);
    });
  }

  /** More than some waiting requests are not read: the channel then holds the caller. */
  #inTurn(work: () => Promise<void>): void {
    this.#waiting += 1;
    if (this.#waiting > maxWaiting) this.#channel.pause();
    const done = (): void => {
      this.#waiting -= 1;
      if (this.#waiting <= maxWaiting && this.#channel.isPaused()) this.#channel.resume();
    };
    this.#turn = this.#turn
      .then(work)
      .finally(done)
      .catch((error: unknown) => {
        const detail = error instanceof Error ? error.message : String(error);
        this.#options.say?.(`a request of ${this.#caller.userId} failed: ${detail}`);
        this.#channel.endWith('the node could not do it');
      });
  }

  #reply(id: number, reply: Reply): void {
    if (reply.ok) return this.#send({ kind: 'reply', id, ok: true, value: reply.value });
    const { error } = reply;
    if (error.kind !== 'disconnected') return this.#send({ kind: 'reply', id, ok: false, error });
    const detail = 'the host of that node is gone';
    this.#send({ kind: 'reply', id, ok: false, error: { kind: 'bad-request', detail } });
  }

  #send(message: Message): void {
    if (!this.#channel.destroyed) this.#channel.write(frameJson(message));
  }

  /** Null: it was answered already. */
  async #answer(request: RemoteRequest): Promise<Reply | null> {
    const { id: _, ...body } = request;
    switch (body.kind) {
      case 'hello':
        return ok({ kind: 'hello', version, pid: process.pid, startedAt: 0 });
      case 'list': {
        const sessions = await this.#list();
        return ok({ kind: 'sessions', sessions: sessions.filter(({ run }) => body.run === null || run === body.run) });
      }
      case 'attach':
        return this.#onSession(body.attach.session, async (host) => {
          await this.#watchBlocks(host, body.attach.session);
          const reply = await host.request(body);
          if (reply.ok && reply.value.kind === 'attached')
            this.#attached(host, reply.value.attachment, body.attach.session);
          return reply;
        });
      case 'screen':
      case 'why':
      case 'kill':
        return this.#onSession(body.session, (host) => host.request(body));
      case 'write':
        return this.#onSession(body.session, async (host) => {
          await this.#watchBlocks(host, body.session);
          return this.#isSecret(body.session) ? noPasswords : host.request(body);
        });
      case 'answer':
        return this.#onSession(sessionOfBlock(body.block), async (host) => {
          await this.#watchBlocks(host, sessionOfBlock(body.block));
          if (this.#isSecret(sessionOfBlock(body.block))) return noPasswords;
          return host.request({ ...body, source: this.#sourceOf(body.source) });
        });
      case 'detach':
      case 'resize':
      case 'repaint': {
        const known = this.#pacers.get(body.attachment);
        if (known === undefined) return refused(`there is no attachment ${body.attachment}`);
        if (body.kind === 'detach') this.#forget(body.attachment);
        return known.host.request(body);
      }
      case 'log':
        return this.#startLog(request.id, body.log);
      default:
        return refused('this is not taken from another machine');
    }
  }

  /** Who it was is the homeserver's word, not that of just any caller. */
  #sourceOf({ by, via }: AnswerSource): AnswerSource {
    const isTold = via === 'room' && this.#options.speaksForOthers(this.#caller);
    return isTold ? { by: by.slice(0, 255), via } : { by: this.#caller.userId, via: 'node' };
  }

  /** Calls with the host in which a session lives, if the caller may know of it at all. */
  async #onSession(session: SessionId, use: (host: HostConnection) => Promise<Reply>): Promise<Reply> {
    const parts = parseSessionId(session);
    // the same words for what is not there and what is not theirs
    if (!parts.ok || !this.#options.maySee(parts.value.run)) return err({ kind: 'unknown-session', session });
    const host = await this.#hostOf(session);
    return host === null ? err({ kind: 'unknown-session', session }) : use(host);
  }

  async #hostOf(session: SessionId): Promise<HostConnection | null> {
    for (const host of await this.#connect()) {
      const list = await host.request({ kind: 'list', run: null });
      if (!list.ok || list.value.kind !== 'sessions') continue;
      if (list.value.sessions.some((one) => one.session === session)) return host;
    }
    return null;
  }

  async #list(): Promise<HostedSession[]> {
    const lists = await Promise.all((await this.#connect()).map((host) => host.request({ kind: 'list', run: null })));
    const all = lists.flatMap((list) => (list.ok && list.value.kind === 'sessions' ? list.value.sessions : []));
    return all.filter(({ run }) => this.#options.maySee(run));
  }

  /** A host that comes after the channel was opened is found as well. */
  async #connect(): Promise<readonly HostConnection[]> {
    const before = await this.#hosts;
    if (before !== null && before.length > 0) return before;
    this.#hosts = connectHosts(this.#options.home, `${this.#caller.userId}, from another machine`);
    const hosts = await this.#hosts;
    if (this.#channel.destroyed) for (const host of hosts) host[Symbol.dispose]();
    for (const host of hosts) {
      host.listen({
        output: (attachment, bytes) => this.#pacers.get(attachment)?.pacer.output(bytes),
        attachmentEnded: (attachment, reason) => {
          this.#forget(attachment);
          this.#send({ kind: 'attachment-ended', attachment, reason });
        },
        journal: (_, { session, event }) => {
          if (event.kind === 'blocked') this.#blocks.set(session, event.block);
          else if (event.kind === 'unblocked' || event.kind === 'ended') this.#blocks.delete(session);
        },
      });
      void host.closed.then(() => {
        this.#hosts = null;
        this.#followed.clear();
        if (this.#pacers.size > 0) this.#channel.endWith('the host of that node is gone');
      });
    }
    return hosts;
  }

  #attached(host: HostConnection, attachment: number, session: SessionId): void {
    const pacer = new Pacer({
      backlogBytes: () => this.#channel.backlogBytes,
      send: (bytes) => void this.#channel.write(frameBytes(attachment, bytes)),
      repaint: async () => void (await host.request({ kind: 'repaint', attachment })),
    });
    this.#pacers.set(attachment, { host, pacer, session });
  }

  #forget(attachment: number): void {
    this.#pacers.get(attachment)?.pacer.stop();
    this.#pacers.delete(attachment);
  }

  #type(attachment: number, bytes: Buffer): void {
    const known = this.#pacers.get(attachment);
    if (known === undefined) return;
    if (!this.#isSecret(known.session)) return known.host.type(attachment, bytes);
    const said = `\r\n[${noPasswordsText}]\r\n`;
    this.#channel.write(frameBytes(attachment, Buffer.from(said)));
  }

  /** What a session asks for now, and from here on. */
  async #watchBlocks(host: HostConnection, session: SessionId): Promise<void> {
    const parts = parseSessionId(session);
    if (this.#options.takesPasswords() || !parts.ok) return;
    const { run } = parts.value;
    if (!this.#followed.has(run)) await host.request({ kind: 'follow', run, after: Number.MAX_SAFE_INTEGER });
    this.#followed.add(run);
    const list = await host.request({ kind: 'list', run });
    if (!list.ok || list.value.kind !== 'sessions') return;
    for (const { session: one, state } of list.value.sessions) {
      if (state.kind === 'blocked') this.#blocks.set(one, state.block);
      else this.#blocks.delete(one);
    }
  }

  #isSecret(session: SessionId): boolean {
    const kind = this.#blocks.get(session)?.kind;
    return !this.#options.takesPasswords() && (kind === 'password' || kind === 'login');
  }

  async #startLog(id: number, log: LogRequest): Promise<Reply | null> {
    const parts = parseSessionId(log.session);
    const { session } = log;
    if (!parts.ok || !this.#options.maySee(parts.value.run)) return err({ kind: 'unknown-session', session });
    const { run, task, attempt } = parts.value;
    const path = recordingPath(this.#options.home, run, task, attempt);
    const host = log.follow ? await this.#hostOf(session) : null;
    if (!existsSync(path) && host === null) return refused(`${session} has no recording on that node`);
    this.#logs += 1;
    const attachment = firstLog + this.#logs;
    this.#reply(id, ok({ kind: 'attached', attachment, writer: false, repaint: '' }));
    void this.#sendLog(path, attachment, log).catch(() => this.#channel.endWith('the recording cannot be read'));
    return null;
  }

  async #sendLog(path: string, attachment: number, log: LogRequest): Promise<void> {
    if (log.follow) await this.#follow(path, attachment, log);
    else if (log.as === 'text') {
      await this.#sendBytes(attachment, Buffer.from(textOf(this.#options.mask(renderTranscript(path)), log.lines)));
    } else if (log.lines === null) {
      for (const bytes of decodeRecording(path)) await this.#sendBytes(attachment, bytes);
    } else await this.#sendBytes(attachment, lastBytes(Buffer.concat([...decodeRecording(path)]), log.lines));
    this.#send({ kind: 'attachment-ended', attachment, reason: { kind: 'detached' } });
  }

  /** On a connection of its own: it listens to other things than the attachments do. */
  async #follow(path: string, attachment: number, log: LogRequest): Promise<void> {
    const { home } = this.#options;
    const hosts = await connectHosts(home, `${this.#caller.userId}, from another machine`);
    const close = (): void => hosts.forEach((host) => host[Symbol.dispose]());
    this.#channel.once('close', close);
    let living: { readonly host: HostConnection; readonly session: HostedSession } | null = null;
    for (const host of hosts) {
      const list = await host.request({ kind: 'list', run: null });
      const sessions = list.ok && list.value.kind === 'sessions' ? list.value.sessions : [];
      const session = sessions.find((one) => one.session === log.session);
      if (session !== undefined) living = { host, session };
    }
    let isFirst = true;
    await followCast(
      path,
      living,
      (bytes) => {
        const cut = isFirst && log.lines !== null ? bytes.subarray(Math.max(0, bytes.length - firstBytes)) : bytes;
        isFirst = false;
        if (!this.#channel.destroyed) this.#channel.write(frameBytes(attachment, cut));
      },
      () => this.#channel.destroyed || !this.#channel.writableNeedDrain,
    );
    this.#channel.off('close', close);
    close();
  }

  async #sendBytes(attachment: number, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#channel.destroyed; at += pieceBytes) {
      if (this.#channel.write(frameBytes(attachment, bytes.subarray(at, at + pieceBytes)))) continue;
      await new Promise<void>((resolve) => {
        this.#channel.once('drain', resolve);
        this.#channel.once('close', resolve);
      });
    }
  }
}

const pieceBytes = 64 * 1024;

const noPasswordsText =
  'this node takes no passwords from elsewhere: node.policy.passwords, or answer on the node itself';
const noPasswords = refused(noPasswordsText);

function refused(detail: string): Reply {
  return err({ kind: 'bad-request', detail });
}

function textOf(text: string, lines: number | null): string {
  return lines === null ? text : lastLines(text, lines);
}
