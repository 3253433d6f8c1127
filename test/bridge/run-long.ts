/**
 * `npm run test:rooms [-- NAME...]`: the long versions of the tests of rooms, and a report of what they counted in test/bridge/report.md.
 * A name runs only the files whose path has it, and leaves the report as it is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../../bench/report.ts';

const files = ['delivery', 'faults', 'outages', 'crash'].flatMap((name) =>
  ['matrix', 'bridge'].map((dir) => `test/${dir}/${name}.test.ts`).filter((path) => existsSync(path)),
);
const names = process.argv.slice(2);
const chosen = names.length === 0 ? files : files.filter((path) => names.some((name) => path.includes(name)));
const dir = mkdtempSync(join(tmpdir(), 'cis-rooms-'));
const counts = join(dir, 'counts');
writeFileSync(counts, '');
const started = Date.now();
const words = ['vitest', 'run', '--silent=passed-only', '--no-file-parallelism', ...chosen];
const { status } = spawnSync('npx', words, { stdio: 'inherit', env: { ...process.env, CIS_ROOMS_REPORT: counts } });
const lines = readFileSync(counts, 'utf8').trim().split('\n');
rmSync(dir, { recursive: true });
if (names.length === 0) writeFileSync(join(import.meta.dirname, 'report.md'), render(lines, Date.now() - started));
process.exitCode = status ?? 1;

function render(all: readonly string[], tookMs: number): string {
  const { cpu, cores, memoryGiB, kernel, node } = describeMachine();
  const rows = all.map((line) => {
    const { what, counts: told } = JSON.parse(line) as { readonly what: string; readonly counts: string };
    return `| ${what} | ${told} |\n`;
  });
  const minutes = Math.round(tookMs / 60_000);
  const verdict = status === 0 ? 'All passed' : 'Not all passed';
  return `# Rooms: the long tests

\`npm run test:rooms\` on ${new Date(started).toISOString().slice(0, 10)} against Synapse on loopback: ${cpu}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel},
Node ${node}; ${minutes} minutes. ${verdict}. Each line is a test that compares, at its end, the room with the log: every event of the outbox there
once and in order, every task in the log's state, the card as the run stands.

| test | counts |
| --- | --- |
${rows.join('')}`;
}
