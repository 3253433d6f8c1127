/** Bytes a second that a session may send far away for long, and how many at once: some screens and any typing pass at once. */
const bytesPerSecond = 48 * 1024;
const burstBytes = 128 * 1024;
/** A watcher that is behind is shown the newest screen so often. */
const repaintMs = 250;

export interface PacerOptions {
  /** Bytes that are under way. */
  readonly backlogBytes: () => number;
  readonly send: (bytes: Uint8Array) => void;
  /** Asks the session for its whole screen, which comes by `output`; resolves once it has. */
  readonly repaint: () => Promise<void>;
  readonly now?: () => number;
}

/**
 * Output of one attached session on its way far away. One that floods is not sent: it would fill the homeserver, and a person reads
 * no faster. Whoever watches it sees its screen as it is every quarter of a second, and everything again when it is quiet.
 */
export class Pacer {
  readonly #options: PacerOptions;
  readonly #now: () => number;
  #tokens = burstBytes;
  #filledAt: number;
  #state: 'flowing' | 'behind' | 'repainting' = 'flowing';
  #screen: Uint8Array | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: PacerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#filledAt = this.#now();
  }

  output(bytes: Uint8Array): void {
    if (this.#state === 'repainting') this.#screen = Buffer.from(bytes);
    if (this.#state !== 'flowing') return;
    if (this.#mayPass(bytes.length)) return this.#pass(bytes);
    this.#state = 'behind';
    this.#timer = setTimeout(() => void this.#catchUp(), repaintMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#state = 'behind';
    this.#timer = null;
  }

  async #catchUp(): Promise<void> {
    if (this.#options.backlogBytes() > 0 || this.#refill() <= 0) {
      this.#timer = setTimeout(() => void this.#catchUp(), repaintMs);
      return;
    }
    this.#screen = null;
    this.#state = 'repainting';
    await this.#options.repaint();
    if (this.#timer === null) return; // stopped meanwhile
    this.#timer = null;
    this.#state = 'flowing';
    if (this.#screen !== null) this.#pass(this.#screen); // the last before the answer is the screen
  }

  #mayPass(bytes: number): boolean {
    return this.#refill() >= bytes && this.#options.backlogBytes() + bytes <= burstBytes;
  }

  #pass(bytes: Uint8Array): void {
    this.#tokens -= bytes.length;
    this.#options.send(bytes);
  }

  #refill(): number {
    const now = this.#now();
    this.#tokens = Math.min(burstBytes, this.#tokens + ((now - this.#filledAt) / 1000) * bytesPerSecond);
    this.#filledAt = now;
    return this.#tokens;
  }
}
