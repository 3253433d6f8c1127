/**
 * `npm run test:rooms [-- NAME...]`: the long versions of the tests of rooms, one file after the other, and what they counted in
 * test/bridge/report.md. A name runs only the files whose path has it, and renews only their sections.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../../bench/report.ts';

const head = `# Rooms: the long tests

What \`npm run test:rooms\` counted against a real Synapse on loopback. Each line is a test that compares the room with the log at its end: every
event of the outbox is there once and in order, every task is in the log's state, the card says how the run stands.
`;
const report = join(import.meta.dirname, 'report.md');
const files = ['matrix/delivery', 'matrix/crash', 'bridge/crash', 'bridge/faults', 'bridge/outages'];

const names = process.argv.slice(2);
for (const file of files) {
  if (names.length > 0 && !names.some((name) => file.includes(name))) continue;
  const dir = mkdtempSync(join(tmpdir(), 'cis-rooms-'));
  const counts = join(dir, 'counts');
  writeFileSync(counts, '');
  const started = Date.now();
  const words = ['vitest', 'run', '--silent=passed-only', `test/${file}.test.ts`];
  const { status } = spawnSync('npx', words, {
    stdio: 'inherit',
    env: { ...process.env, CIS_ROOMS_REPORT: counts },
  });
  const lines = readFileSync(counts, 'utf8').trim().split('\n');
  rmSync(dir, { recursive: true });
  if (status !== 0) process.exitCode = 1;
  keep(file, render(lines, { started, passed: status === 0 }));
}

function render(lines: readonly string[], { started, passed }: { started: number; passed: boolean }): string {
  const { cpu, cores, kernel, node } = describeMachine();
  const minutes = Math.max(1, Math.round((Date.now() - started) / 60_000));
  const rows = lines
    .filter((line) => line !== '')
    .map((line) => {
      const { what, counts } = JSON.parse(line) as { readonly what: string; readonly counts: string };
      return `| ${what} | ${counts} |\n`;
    });
  const date = new Date(started).toISOString().slice(0, 10);
  return `${passed ? 'All passed' : '**Not all passed**'}, ${date}, ${minutes} min: ${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}.

| test | counts |
| --- | --- |
${rows.join('')}`;
}

/** The sections of the other files stay. */
function keep(file: string, section: string): void {
  const before = existsSync(report) ? readFileSync(report, 'utf8').split(/^## /m).slice(1) : [];
  const sections = new Map(
    before.map((text) => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]),
  );
  sections.set(file, `\n${section}`);
  const known = files.filter((name) => sections.has(name));
  const all = known.map((name) => `## ${name}\n${(sections.get(name) ?? '').trimEnd()}\n`);
  writeFileSync(report, `${head}\n${all.join('\n')}`);
  spawnSync('npx', ['oxfmt', report]);
}
