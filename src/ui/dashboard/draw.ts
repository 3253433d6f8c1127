import { writeSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';

export interface TerminalListeners {
  readonly key: (key: string, text: string) => void;
  /** Row from 0. */
  readonly click: (row: number) => void;
  readonly wheel: (lines: number) => void;
  readonly resized: () => void;
}

/** A terminal that shows the dashboard and nothing else. */
export interface DashboardTerminal extends Disposable {
  readonly columns: number;
  readonly rows: number;
  draw(lines: readonly string[]): void;
  /** The terminal is as it was before. May be called twice. */
  [Symbol.dispose](): void;
}

const CSI = '\u001B[';
/** Synchronised updates, for terminals that know them; without autowrap a line that is wider than was reckoned breaks nothing. */
const beginFrame = `${CSI}?2026h${CSI}?7l`;
const endFrame = `${CSI}?7h${CSI}?2026l`;
const restoring = `${endFrame}${CSI}?1006l${CSI}?1000l${CSI}m${CSI}?1049l${CSI}?25h`;
const wheelLines = 3;

/**
 * Takes the terminal: alternate screen, keys and mouse by blessed. Its widgets and its terminfo stay out: they reckon wide
 * characters by tables of 2015 and write every cell; lines that changed are written here, as `widthOf` measures them.
 */
export async function openDashboardTerminal(
  stdin: ReadStream,
  stdout: WriteStream,
  on: TerminalListeners,
): Promise<DashboardTerminal> {
  const { default: blessed } = await import('blessed');
  // The types say that `tput` is text; false keeps blessed from reading terminfo, some of which it cannot parse.
  const options = { input: stdin, output: stdout, tput: false } as object;
  let isOpen = true;
  let shown: readonly string[] = [];
  const restore = (): void => {
    if (!isOpen) return;
    isOpen = false;
    try {
      stdin.setRawMode(false);
      writeSync(1, restoring);
    } catch {
      // the terminal itself is gone
    }
  };
  process.on('exit', restore);
  process.on('uncaughtExceptionMonitor', restore); // what is said of it must not vanish with the alternate screen
  const program = blessed.program(options);
  let isMouse = false;
  program.on('data', (bytes: Buffer) => {
    isMouse = /^\u001B\[[<M]/.test(bytes.toString('latin1')); // oxlint-disable-line no-control-regex
  });
  program.on('keypress', (text: string | undefined, key: { full?: string; sequence?: string } | undefined) => {
    if (isMouse || key?.full === 'return') return; // blessed tells Enter twice
    on.key(key?.full ?? text ?? '', text ?? '');
  });
  program.on('mouse', (event: { action: string; y: number }) => {
    if (event.action === 'mousedown') on.click(event.y);
    if (event.action === 'wheelup') on.wheel(wheelLines);
    if (event.action === 'wheeldown') on.wheel(-wheelLines);
  });
  program.on('resize', () => {
    shown = [];
    on.resized();
  });
  program.alternateBuffer();
  program.hideCursor();
  program.setMouse({ vt200Mouse: true, sgrMouse: true }, true);
  return {
    get columns() {
      return stdout.columns;
    },
    get rows() {
      return stdout.rows;
    },
    draw(lines) {
      if (!isOpen) return;
      const text = renderChange(shown, lines);
      shown = lines;
      if (text !== '') stdout.write(beginFrame + text + endFrame);
    },
    [Symbol.dispose]() {
      process.off('exit', restore);
      process.off('uncaughtExceptionMonitor', restore);
      restore();
      try {
        program.destroy();
      } catch {
        stdin.pause(); // it wanted to set the modes of a terminal that is gone
      }
      program.removeAllListeners();
    },
  };
}

/** Writes the rows that changed, each at its place. */
function renderChange(before: readonly string[], after: readonly string[]): string {
  const all = before.length === 0 ? `${CSI}H${CSI}2J` : '';
  const rows = after.map((line, row) => (before[row] === line ? '' : `${CSI}${row + 1};1H${line}${CSI}K`));
  const gone = before.slice(after.length).map((_, index) => `${CSI}${after.length + index + 1};1H${CSI}K`);
  return all + rows.join('') + gone.join('');
}
