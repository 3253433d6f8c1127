import { err, ok, type Result } from '../../domain/result.ts';
import { unreachable } from '../../domain/unreachable.ts';
import { openConnection } from '../../host/client.ts';
import type { Disconnected, HostConnection } from '../../host/port.ts';
import type { HostError, RequestBody } from '../../host/protocol.ts';
import { version } from '../../host/version.ts';
import type { Channel } from './channel.ts';
import type { DialError, Line, NodeAddress } from './line.ts';
import type { LogBody, LogRequest } from './protocol.ts';

/** The host of another node. What works with a connection to the own host works with it; recordings are read through it. */
export interface RemoteHost extends HostConnection {
  /** Hands on a session's recording until its end, or until the session's, if it is followed. */
  readLog(log: LogRequest, take: (bytes: Uint8Array) => void): Promise<Result<void, HostError | Disconnected>>;
  /** Why it is gone, in words for a person. */
  readonly goneBecause: string | null;
}

/** Opens a connection to the host of another node. */
export async function openRemoteHost(
  line: Pick<Line, 'dial'>,
  to: NodeAddress,
  what: string,
): Promise<Result<RemoteHost, DialError>> {
  const channel = await line.dial(to);
  if (!channel.ok) return channel;
  const host = remoteHost(channel.value);
  const hello = await host.request({ kind: 'hello', version, what });
  if (hello.ok) return ok(host);
  host[Symbol.dispose]();
  return err({ kind: 'undelivered', reason: host.goneBecause ?? 'it ended the connection' });
}

function remoteHost(channel: Channel): RemoteHost {
  const connection = openConnection(channel);
  return {
    ...connection,
    get goneBecause() {
      return channel.endedBy;
    },
    async readLog(log, take) {
      const ended = Promise.withResolvers<void>();
      const early: [number, Uint8Array][] = [];
      const over = new Set<number>();
      let wanted: number | null = null;
      connection.listen({
        output(attachment, bytes) {
          if (wanted === null) early.push([attachment, Buffer.from(bytes)]);
          else if (attachment === wanted) take(bytes);
        },
        attachmentEnded(attachment) {
          over.add(attachment);
          if (attachment === wanted) ended.resolve();
        },
      });
      const body: LogBody = { kind: 'log', log };
      const reply = await connection.request(body as unknown as RequestBody); // a gate takes it, a host does not
      if (!reply.ok) return reply;
      if (reply.value.kind !== 'attached')
        return err({ kind: 'bad-request', detail: 'that node cannot show recordings' });
      wanted = reply.value.attachment;
      for (const [attachment, bytes] of early) if (attachment === wanted) take(bytes);
      if (over.has(wanted)) return ok(undefined);
      const isWhole = await Promise.race([ended.promise.then(() => true), connection.closed.then(() => false)]);
      return isWhole || over.has(wanted) ? ok(undefined) : err({ kind: 'disconnected' });
    },
    closed: connection.closed,
    [Symbol.dispose]: () => channel.endWith('done'),
  };
}

export function describeDialError(error: DialError, node: string): string {
  switch (error.kind) {
    case 'refused':
      return `${node} refuses: ${error.reason}`;
    case 'no-answer':
      return `${node} does not answer (${Math.round(error.afterMs / 1000)} s): is cis node start running there?`;
    case 'undelivered':
      return `${node} cannot be reached: ${error.reason}`;
    case 'bridge-gone':
      return 'the bridge to the room ended: see cis matrix status';
    default:
      return unreachable(error);
  }
}
