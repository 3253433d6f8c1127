import { Terminal } from '@xterm/headless';
import { expect, test } from 'vitest';
import { openFrame } from '../../src/ui/frame.ts';

/** A person's terminal with a history, as wide and high as a test wants it. */
function openScreen(columns: number, rows: number) {
  const terminal = new Terminal({ cols: columns, rows, scrollback: 1000, allowProposedApi: true });
  let writing = Promise.resolve();
  const screen = {
    columns,
    rows,
    write: (text: string) => {
      writing = writing.then(() => new Promise<void>((done) => terminal.write(text, done)));
    },
  };
  return {
    screen,
    async resize(width: number, height: number): Promise<void> {
      await writing;
      terminal.resize(width, height);
      Object.assign(screen, { columns: width, rows: height });
    },
    /** All lines, those of the history too. */
    async text(): Promise<string[]> {
      await writing;
      const { active } = terminal.buffer;
      const lines = Array.from(
        { length: active.length },
        (_, row) => active.getLine(row)?.translateToString(true) ?? '',
      );
      return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
    },
  };
}

const before = Array.from({ length: 30 }, (_, index) => `before ${index}`);
const table = (rows: number, columns: number): string[] =>
  Array.from({ length: rows }, (_, index) => `row ${index} ${'x'.repeat(columns)}`.slice(0, columns));

test.each([
  [
    'lower, then higher',
    [
      [40, 12],
      [40, 6],
      [40, 20],
    ],
  ],
  [
    'narrower by one line that wraps, then as it was, and higher',
    [
      [40, 12],
      [39, 12],
      [40, 24],
    ],
  ],
  [
    'lower step by step, and back',
    [
      [40, 12],
      [40, 9],
      [40, 6],
      [40, 8],
      [40, 14],
    ],
  ],
  [
    'higher only',
    [
      [40, 12],
      [40, 20],
    ],
  ],
  [
    'wider only',
    [
      [40, 12],
      [80, 12],
    ],
  ],
] as const)('a terminal that becomes %s keeps what stood above, and one table', async (_, sizes) => {
  const [[columns, rows], ...others] = sizes;
  const opened = openScreen(columns, rows);
  const { screen } = opened;
  screen.write(`${before.join('\r\n')}\r\n`);
  const frame = openFrame(screen);
  frame.draw(table(rows, columns));
  for (const [width, height] of others) {
    await opened.resize(width, height);
    frame.resized();
    frame.draw(table(height, width));
  }
  const [width, height] = others.at(-1) ?? sizes[0];
  expect(await opened.text()).toEqual([...before, ...table(height, width)]);
  frame[Symbol.dispose]();
});
