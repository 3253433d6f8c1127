import type { AttachmentEnd } from './protocol.ts';

/** A client that is this far behind gets no more bytes, and the screen as it is once it has caught up. */
const maxBacklogBytes = 1024 * 1024;

/** The way to one client's terminal. */
export interface AttachmentLine {
  sendBytes(attachment: number, bytes: Uint8Array): void;
  sendEnd(attachment: number, reason: AttachmentEnd): void;
  /** Bytes that the client has not taken yet. */
  readonly backlogBytes: number;
  /** Calls once when the backlog is gone. */
  whenDrained(call: () => void): void;
}

export interface AttachmentOptions {
  readonly number: number;
  readonly who: string;
  readonly isReadonly: boolean;
  readonly line: AttachmentLine;
  /** Text that clears the client's terminal and paints the session's screen as it is now. */
  readonly repaint: () => string;
}

/** One client looking at a session. */
export class Attachment {
  readonly number: number;
  readonly who: string;
  readonly isReadonly: boolean;
  isWriter = false;
  readonly #line: AttachmentLine;
  readonly #repaint: () => string;
  #isBehind = false;
  #hasEnded = false;

  constructor(options: AttachmentOptions) {
    this.number = options.number;
    this.who = options.who;
    this.isReadonly = options.isReadonly;
    this.#line = options.line;
    this.#repaint = options.repaint;
  }

  send(bytes: Uint8Array): void {
    if (this.#isBehind || this.#hasEnded) return;
    if (this.#line.backlogBytes <= maxBacklogBytes) return this.#line.sendBytes(this.number, bytes);
    this.#isBehind = true;
    this.#line.whenDrained(() => this.#catchUp());
  }

  repaint(): void {
    if (!this.#hasEnded) this.send(Buffer.from(this.#repaint()));
  }

  end(reason: AttachmentEnd): void {
    if (this.#hasEnded) return;
    if (this.#isBehind) this.#catchUp();
    this.#hasEnded = true;
    this.#line.sendEnd(this.number, reason);
  }

  #catchUp(): void {
    if (this.#hasEnded || !this.#isBehind) return;
    this.#isBehind = false;
    this.#line.sendBytes(this.number, Buffer.from(this.#repaint()));
  }
}
