import type { Terminal } from '@xterm/headless';
import { isWhole } from './fold.ts';
import { coreOf } from './xterm-core.ts';

// oxlint-disable-next-line no-control-regex
const colours = /\u001b\[[0-9:;]*m/g;

/**
 * Gives less output that leads to the same screen; null when that is not certain. The output is plain lines (`plain-lines.ts`): it
 * does no more than print, colour and go on.
 *
 * In a terminal that scrolls as a whole, only the colours of such lines outlive the scrolling. With twice as many line ends as the
 * screen has rows, the first half takes the cursor to the last row, wherever it was, and the second every older row away.
 */
export function withoutScrolledAway(terminal: Terminal, output: Buffer): Buffer | null {
  const { scrollTop, scrollBottom } = coreOf(terminal).buffer;
  if (scrollTop !== 0 || scrollBottom !== terminal.rows - 1 || !isWhole(terminal)) return null;
  const cut = findLineEnd(output, 2 * terminal.rows);
  if (cut <= 0) return null;
  const away = output.subarray(0, cut);
  const reset = Math.max(0, away.lastIndexOf('\u001b[m'), away.lastIndexOf('\u001b[0m'));
  const colour = (away.toString('latin1', reset).match(colours) ?? []).join('');
  return Buffer.concat([Buffer.from(colour, 'latin1'), output.subarray(cut)]);
}

/** Where the line end begins behind which there are `count` more; -1 when there are not so many. */
function findLineEnd(output: Buffer, count: number): number {
  let at = output.length;
  for (let found = 0; found <= count && at > 0; found += 1) at = output.lastIndexOf('\r\n', at - 1);
  return at;
}
