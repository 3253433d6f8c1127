import { writeFileSync } from 'node:fs';
import xterm from '@xterm/headless';
import { spawn } from 'node-pty';

/**
 * Runs a command in a terminal and writes what is on its screen as an SVG, so that the README shows what really was there:
 *
 *   node docs/picture.ts OUT.svg [--cols N] [--rows N] [--until TEXT] -- COMMAND ARG…
 *
 * The picture is taken when TEXT is on the screen, else when the command ended.
 */
interface Options {
  readonly out: string;
  readonly cols: number;
  readonly rows: number;
  readonly until: string | null;
  readonly argv: readonly string[];
}

const palette = ['#1d2026', '#e06c75', '#98c379', '#e5c07b', '#61afef', '#c678dd', '#56b6c2', '#c8ccd4'];
const bright = ['#7f848e', '#ef8a92', '#b5e08f', '#f2d697', '#83c4ff', '#dd97f0', '#7fd4df', '#ffffff'];
const cell = { width: 8.4, height: 18, size: 14 };

const options = parseOptions(process.argv.slice(2));
const terminal = new xterm.Terminal({ cols: options.cols, rows: options.rows, allowProposedApi: true });
const [file = 'true', ...args] = options.argv;
const child = spawn(file, args, { cols: options.cols, rows: options.rows, name: 'xterm-256color' });

let done = false;
child.onData((data) =>
  terminal.write(data, () => options.until !== null && screenText().includes(options.until) && finish()),
);
child.onExit(() => terminal.write('', finish));

function finish(): void {
  if (done) return;
  done = true;
  writeFileSync(options.out, renderSvg());
  child.kill('SIGTERM');
}

function screenText(): string {
  return screenLines().join('\n');
}

function screenLines(): string[] {
  const buffer = terminal.buffer.active;
  return Array.from(
    { length: options.rows },
    (_, row) => buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? '',
  );
}

function renderSvg(): string {
  const used = screenLines().findLastIndex((line) => line !== '') + 1;
  const width = Math.ceil(options.cols * cell.width + 24);
  const height = used * cell.height + 24;
  const rows = Array.from({ length: used }, (_, row) => renderRow(row)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${cell.size}">
<rect width="100%" height="100%" rx="8" fill="#1d2026"/>
${rows}
</svg>
`;
}

function renderRow(row: number): string {
  const buffer = terminal.buffer.active;
  const line = buffer.getLine(buffer.baseY + row);
  const y = 12 + row * cell.height + cell.size;
  const spans: string[] = [];
  for (let col = 0; line !== undefined && col < options.cols; col++) {
    const at = line.getCell(col);
    const text = at?.getChars() ?? '';
    if (at === undefined || text === '' || text === ' ') continue;
    const style = `fill="${colourOf(at)}"${at.isBold() ? ' font-weight="bold"' : ''}${at.isDim() ? ' opacity="0.6"' : ''}`;
    // Each cell has its own place, so that a viewer's font cannot shift a column.
    spans.push(`<tspan x="${(12 + col * cell.width).toFixed(1)}" ${style}>${escapeXml(text)}</tspan>`);
  }
  return `<text y="${y}">${spans.join('')}</text>`;
}

function colourOf(
  at: ReturnType<NonNullable<ReturnType<typeof terminal.buffer.active.getLine>>['getCell']> & object,
): string {
  const colour = at.getFgColor();
  if (at.isFgRGB()) return `#${colour.toString(16).padStart(6, '0')}`;
  if (!at.isFgPalette()) return '#c8ccd4';
  return palette[colour] ?? bright[colour - 8] ?? '#c8ccd4';
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function parseOptions(argv: readonly string[]): Options {
  const split = argv.indexOf('--');
  const [out = 'picture.svg', ...flags] = argv.slice(0, split);
  const value = (name: string): string | null => {
    const at = flags.indexOf(name);
    return at === -1 ? null : (flags[at + 1] ?? null);
  };
  return {
    out,
    cols: Number(value('--cols') ?? 100),
    rows: Number(value('--rows') ?? 30),
    until: value('--until'),
    argv: argv.slice(split + 1),
  };
}
