/** What a person wants of a run they watch. */
export type InterruptChoice = 'detach' | 'abort' | 'continue';

/** The keyboard: a `tty.ReadStream`, or a test's own. */
export interface Keyboard {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (bytes: Buffer | string) => void): unknown;
  off(event: 'data', listener: (bytes: Buffer | string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface InterruptOptions {
  readonly keyboard: Keyboard;
  /** Where the question is shown; null takes it away. */
  readonly prompt: (text: string | null) => void;
  /** Called once with the decision; never with `continue`. */
  readonly decide: (choice: 'detach' | 'abort') => void;
}

const question = 'd detach: it goes on without you   a abort   c continue   (Ctrl-C again aborts)';

/**
 * Watches for Ctrl-C while a run is shown: the first asks whether to detach, abort or continue, the second aborts. Without a
 * keyboard there is nobody to ask, so the first aborts. Disposing gives the keyboard and the signal back.
 */
export function askOnInterrupt(options: InterruptOptions): Disposable {
  const { keyboard, prompt, decide } = options;
  let isAsking = false;
  const end = (choice: 'detach' | 'abort') => {
    isAsking = false;
    prompt(null);
    decide(choice);
  };
  const interrupt = () => {
    if (isAsking || keyboard.isTTY !== true) return end('abort');
    isAsking = true;
    prompt(question);
  };
  const read = (bytes: Buffer | string) => {
    for (const key of bytes.toString()) {
      if (key === '\u0003') interrupt();
      else if (isAsking) answer(choices[key.toLowerCase()]);
    }
  };
  const answer = (choice: InterruptChoice | undefined) => {
    if (choice === undefined) return;
    if (choice !== 'continue') return end(choice);
    isAsking = false;
    prompt(null);
  };
  process.on('SIGINT', interrupt);
  const release = keyboard.isTTY === true ? takeKeyboard(keyboard, read) : () => {};
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', interrupt);
      release();
    },
  };
}

const choices: Readonly<Record<string, InterruptChoice>> = {
  d: 'detach',
  a: 'abort',
  c: 'continue',
  '\u001B': 'continue',
  '\r': 'continue',
  '\n': 'continue',
};

/** In raw mode nothing that is typed by accident is echoed into the table. The keyboard never keeps the process alive. */
function takeKeyboard(keyboard: Keyboard, read: (bytes: Buffer | string) => void): () => void {
  const cooked = () => keyboard.setRawMode?.(false);
  keyboard.setRawMode?.(true);
  keyboard.on('data', read);
  keyboard.resume();
  process.on('exit', cooked);
  return () => {
    process.off('exit', cooked);
    keyboard.off('data', read);
    keyboard.pause();
    cooked();
  };
}
