import { writeSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import type { SessionId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { nameKeys, openDetachKeys } from './detach-keys.ts';
import type { Disconnected, HostConnection } from './port.ts';
import type { AttachmentEnd, HostError } from './protocol.ts';

export interface AttachOptions {
  readonly host: HostConnection;
  readonly session: SessionId;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly readonly: boolean;
  readonly force: boolean;
  /** What the keys send that detach, one entry a key. */
  readonly detachKeys: readonly string[];
}

export type AttachOutcome = AttachmentEnd | Disconnected | { readonly kind: 'signalled'; readonly signal: string };

/** How long the line that says how to leave lies over the bottom of the screen. */
const noticeMs = 2_000;

/** Gives a terminal everything back that a program may have changed: keyboard, mouse, region, colours, cursor. */
const restoreModes = [
  '\u001b7\u001b[?1l\u001b>\u001b[?6l\u001b[r\u001b[4l\u001b[?7h\u001b8', // the region takes the cursor home
  '\u001b[?9l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?1016l\u001b[?1004l\u001b[?2004l\u001b[?2026l',
  '\u001b[<u\u001b[>4;0m\u001b(B\u000f\u001b[m\u001b[0 q\u001b[?25h',
].join('');

/** What comes next is written below what the session showed; after a full-screen program, at the bottom of the main buffer. */
function renderRestore(isAlternate: boolean): string {
  return isAlternate ? `${restoreModes}\u001b[?1049l\u001b[999;1H\r\n` : `${restoreModes}\r\n\u001b[J`;
}

/** Connects a person's terminal with a session until one of the two ends it; the terminal is as before, whatever happens. */
export async function attachTerminal(options: AttachOptions): Promise<Result<AttachOutcome, HostError | Disconnected>> {
  const { host, session, stdin, stdout, readonly, force } = options;
  const early: Buffer[] = [];
  let show = (bytes: Uint8Array): void => void early.push(Buffer.from(bytes));
  const ended = Promise.withResolvers<AttachOutcome>();
  host.listen({
    output: (_, bytes) => show(bytes),
    attachmentEnded: (_, reason) => ended.resolve(reason),
  });
  const { columns: cols, rows } = stdout;
  const reply = await host.request({ kind: 'attach', attach: { session, cols, rows, readonly, force } });
  if (!reply.ok) return reply;
  if (reply.value.kind !== 'attached') return err({ kind: 'bad-request', detail: 'the host did not attach' });
  const { attachment, writer, repaint } = reply.value;

  let isAlternate = false;
  using _terminal = holdTerminal(stdin, stdout, () => renderRestore(isAlternate), ended.resolve);
  show = (bytes) => {
    const copy = Buffer.from(bytes);
    isAlternate = isAlternateAfter(copy, isAlternate);
    stdout.write(keepLineFeeds(copy));
  };
  show(Buffer.from(repaint));
  for (const bytes of early) show(bytes);
  stdout.write(renderNotice(options, writer, rows));
  const notice = setTimeout(() => void host.request({ kind: 'repaint', attachment }), noticeMs);

  const findDetach = openDetachKeys(options.detachKeys);
  const onTyped = (chunk: Buffer): void => {
    const typed = findDetach(chunk);
    if (typed.bytes.length > 0 && !readonly) host.type(attachment, typed.bytes);
    if (typed.detaches) ended.resolve({ kind: 'detached' });
  };
  const onResize = (): void => {
    void host.request({ kind: 'resize', attachment, cols: stdout.columns, rows: stdout.rows });
    void host.request({ kind: 'repaint', attachment });
  };
  stdin.on('data', onTyped);
  stdout.on('resize', onResize);
  void host.closed.then(() => ended.resolve({ kind: 'disconnected' }));
  const outcome = await ended.promise;
  clearTimeout(notice);
  stdin.off('data', onTyped);
  stdout.off('resize', onResize);
  if (outcome.kind === 'detached') await host.request({ kind: 'detach', attachment });
  await new Promise((resolve) => void stdout.write('', resolve));
  return ok(outcome);
}

/** Puts the terminal into raw mode until it is disposed of; a signal or a crash gives it back as well. */
function holdTerminal(
  stdin: ReadStream,
  stdout: WriteStream,
  renderLast: () => string,
  end: (outcome: AttachOutcome) => void,
): Disposable {
  let isHeld = true;
  const restore = (): void => {
    if (!isHeld) return;
    isHeld = false;
    try {
      stdin.setRawMode(false);
      writeSync(1, renderLast());
    } catch {
      // the terminal itself is gone
    }
  };
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const;
  const onSignal = (signal: NodeJS.Signals): void => end({ kind: 'signalled', signal });
  for (const signal of signals) process.on(signal, onSignal);
  process.on('exit', restore);
  const onGone = (): void => end({ kind: 'signalled', signal: 'SIGHUP' });
  stdin.on('end', onGone);
  stdin.on('error', onGone);
  stdout.on('error', onGone);
  stdin.setRawMode(true);
  stdin.resume();
  return {
    [Symbol.dispose]() {
      restore();
      for (const signal of signals) process.off(signal, onSignal);
      process.off('exit', restore);
      stdin.off('end', onGone);
      stdin.pause();
    },
  };
}

/** Whether the terminal shows its alternate buffer after these bytes. */
function isAlternateAfter(bytes: Buffer, before: boolean): boolean {
  const entered = bytes.lastIndexOf('\u001b[?1049h');
  const left = bytes.lastIndexOf('\u001b[?1049l');
  return entered === left ? before : entered > left;
}

/**
 * Node's raw mode still turns a line feed into carriage return and line feed. A vertical tab moves a terminal's cursor as a line
 * feed does, and passes unchanged.
 */
function keepLineFeeds(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) bytes[at] = 11;
  return bytes;
}

/** One line over the bottom of the screen; the repaint that follows takes it away. */
function renderNotice(options: AttachOptions, isWriter: boolean, rows: number): string {
  const role = isWriter
    ? ''
    : options.readonly
      ? ', read-only'
      : ', watching: somebody else has the keyboard (--force takes it)';
  const text = ` attached to ${options.session}${role} · ${nameKeys(options.detachKeys)} detaches `;
  return `\u001b7\u001b[?6l\u001b[${rows};1H\u001b[0;7m${text.slice(0, options.stdout.columns)}\u001b[m\u001b8`;
}
