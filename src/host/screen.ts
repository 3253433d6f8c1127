import { createRequire } from 'node:module';
import type { IDisposable, Terminal as HeadlessTerminal } from '@xterm/headless';
import type { ScreenText } from './protocol.ts';
import { fold, isWhole } from './fold.ts';
import { readScreen, renderRepaint } from './repaint.ts';
import { openSpareTerminals } from './spare-terminals.ts';
import { withoutScrolledAway } from './scrolled-away.ts';
import { coreOf } from './xterm-core.ts';

const require = createRequire(import.meta.url);

/** `@xterm/headless` is a megabyte: it is loaded when the first screen is looked at. */
export function newTerminal(cols: number, rows: number, scrollback: number): HeadlessTerminal {
  const xterm = require('@xterm/headless') as typeof import('@xterm/headless');
  return new xterm.Terminal({ cols, rows, scrollback, allowProposedApi: true, logLevel: 'off' });
}

/** The part of xterm that parses at once; the public `write` parses in a later turn. No handler of ours is asynchronous. */
export function writeNow(terminal: HeadlessTerminal, bytes: Uint8Array | string): void {
  coreOf(terminal).writeSync(bytes);
}

/**
 * Gives a terminal another size. Where wrapped lines were in one without scrollback, xterm then believes in rows above the first,
 * and throws at the next line that scrolls.
 */
export function resizeNow(terminal: HeadlessTerminal, cols: number, rows: number): void {
  terminal.resize(cols, rows);
  const { normal, alt } = coreOf(terminal).buffers;
  for (const buffer of [normal, alt]) {
    buffer.ybase = Math.min(buffer.ybase, Math.max(0, buffer.lines.length - rows));
    buffer.ydisp = Math.min(buffer.ydisp, buffer.ybase);
  }
}

/** Output kept as bytes before it is fed into a screen: few sessions are ever looked at, and many print less than this. */
const maxPendingBytes = 256 * 1024;
/** Fed in one go, about a millisecond, so that other sessions' keystrokes are not held up. */
const sliceBytes = 32 * 1024;
/** A session that nobody looks at and that is quiet keeps at most this much. */
const maxRestingBytes = 48 * 1024;

const terminals = openSpareTerminals((cols, rows) => newTerminal(cols, rows, 0));

type Pending =
  | { readonly kind: 'output'; readonly bytes: Buffer; readonly isPlain: boolean }
  | { readonly kind: 'size'; cols: number; rows: number };

/**
 * Keeps what a person would see of a session, at the least cost: output waits as bytes until somebody looks, a screen that is
 * quiet is folded away, and history is left to the recording.
 */
export class Screen {
  #live: HeadlessTerminal | null = null;
  #folded: Uint8Array | null = null;
  readonly #cols: number;
  readonly #rows: number;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #reply: ((text: string) => void) | null = null;
  #listening: IDisposable | null = null;

  constructor(cols: number, rows: number) {
    this.#cols = cols;
    this.#rows = rows;
  }

  /** `isPlain`: it does no more than print, colour and go on to the next line. */
  add(bytes: Buffer, isPlain: boolean): void {
    this.#pending.push({ kind: 'output', bytes, isPlain });
    this.#pendingBytes += bytes.length;
    if (this.#pending.length > 64) this.#joinPending();
  }

  resize(cols: number, rows: number): void {
    this.#pending.push({ kind: 'size', cols, rows });
  }

  /** Keeps what waits within bounds; true while more waits than may be kept: the session should read no more until the next call. */
  catchUp(): boolean {
    if (this.#pendingBytes > maxPendingBytes) this.#dropScrolledAway();
    if (this.#pendingBytes > maxPendingBytes) this.#feed();
    return this.#pendingBytes > maxPendingBytes;
  }

  /** Whether the session holds more memory than an idle one may. */
  get isHeavy(): boolean {
    return this.#live !== null || this.#pendingBytes > maxRestingBytes;
  }

  /** Feeds one slice of what waits; true when nothing waits any more. */
  #feed(): boolean {
    let fed = 0;
    while (fed < sliceBytes) {
      const next = this.#pending.shift();
      if (next === undefined) return true;
      if (next.kind === 'size') {
        resizeNow(this.#terminal(), next.cols, next.rows);
        continue;
      }
      const slice = next.bytes.subarray(0, sliceBytes - fed);
      if (slice.length < next.bytes.length) {
        this.#pending.unshift({ ...next, bytes: next.bytes.subarray(slice.length) });
      }
      writeNow(this.#terminal(), slice);
      this.#pendingBytes -= slice.length;
      fed += slice.length;
    }
    return this.#pending.length === 0;
  }

  /** The terminal as it is after every byte so far. */
  view(): HeadlessTerminal {
    while (!this.#feed());
    return this.#terminal();
  }

  /** Feeds everything and hands what the terminal answers (cursor position, kind of terminal, …) to `reply`. */
  answerQueries(reply: (text: string) => void): void {
    this.#terminal();
    this.#reply = reply;
    this.view();
    this.#reply = null;
  }

  /** Text that paints this screen, with its modes, on any terminal. */
  repaint(): string {
    return renderRepaint(this.view());
  }

  text(): ScreenText {
    return readScreen(this.view());
  }

  /** Gives memory back, unless the output stopped within a sequence. */
  rest(): void {
    if (!this.isHeavy) return;
    const terminal = this.view();
    const folded = fold(terminal);
    if (folded === null || folded.length > maxRestingBytes) return;
    this.#giveBack(folded);
  }

  /** The session has ended, and nobody will look any more. */
  close(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#live !== null && isWhole(this.#live)) this.#giveBack(null);
  }

  #giveBack(folded: Uint8Array | null): void {
    const terminal = this.#live;
    this.#folded = folded;
    this.#live = null;
    this.#listening?.dispose();
    if (terminal !== null) terminals.giveBack(terminal);
  }

  #terminal(): HeadlessTerminal {
    if (this.#live !== null) return this.#live;
    const terminal = terminals.take(this.#cols, this.#rows, this.#folded);
    this.#listening = terminal.onData((text) => this.#reply?.(text));
    this.#live = terminal;
    this.#folded = null;
    return terminal;
  }

  #dropScrolledAway(): void {
    this.#joinPending();
    const [only] = this.#pending;
    if (only?.kind !== 'output' || !only.isPlain || this.#pending.length > 1) return;
    const less = withoutScrolledAway(this.#terminal(), only.bytes);
    if (less === null) return;
    this.#pending = [{ ...only, bytes: less }];
    this.#pendingBytes = less.length;
  }

  #joinPending(): void {
    const joined: Pending[] = [];
    let run: Buffer[] = [];
    let isPlain = true;
    const close = (): void => {
      if (run.length > 0) joined.push({ kind: 'output', bytes: Buffer.concat(run), isPlain });
      run = [];
      isPlain = true;
    };
    for (const next of this.#pending) {
      if (next.kind === 'output') {
        run.push(next.bytes);
        isPlain &&= next.isPlain;
      } else {
        close();
        joined.push(next);
      }
    }
    close();
    this.#pending = joined;
  }
}
