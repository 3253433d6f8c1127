import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install, programNamed } from './programs.ts';
import { frozen, sealable, sealing, start } from './sealed.ts';

// Usage: npm run test:agents -- [--repeat N] [--agent NAME] [--jobs N]
// Installs the real programs outside the repository, runs each through every case N times, so many programs at once, and writes
// test/agents/report.md after every round.

const root = join(import.meta.dirname, '..', '..');
const agents = ['claude', 'codex', 'opencode', 'qwen'] as const;

interface Outcome {
  readonly agent: string;
  readonly name: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly message: string;
}

/** Ms from a question on the screen to its `task-blocked` in the log. */
interface Delay {
  readonly agent: string;
  readonly what: string;
  readonly hooked: boolean;
  readonly delayMs: number;
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Runs every case of one program. */
async function runProgram(agent: string, dir: string, copy: string | null): Promise<Outcome[]> {
  const results = join(dir, `${agent}.json`);
  rmSync(results, { force: true });
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'vitest.agents.config.ts');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const command = [process.execPath, vitest, 'run', '--config', config, ...reporters];
  await start(copy === null ? command : sealing(command, copy), { CIS_AGENT: agent });
  return readOutcomes(results);
}

/** A round: every program, `jobs` at once. */
async function runRound(
  programs: readonly string[],
  jobs: number,
  dir: string,
  copy: string | null,
): Promise<Outcome[]> {
  const queue = [...programs];
  const outcomes: Outcome[] = [];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      outcomes.push(...(await runProgram(next, dir, copy)));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return outcomes.toSorted((a, b) => programs.indexOf(a.agent) - programs.indexOf(b.agent));
}

function readOutcomes(path: string): Outcome[] {
  const json = JSON.parse(readFileSync(path, 'utf8')) as {
    testResults: {
      assertionResults: {
        ancestorTitles: string[];
        title: string;
        status: string;
        duration?: number;
        failureMessages: string[];
      }[];
    }[];
  };
  return json.testResults.flatMap(({ assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'passed' || status === 'failed')
      .map(({ ancestorTitles, title, status, duration, failureMessages }) => ({
        agent: ancestorTitles.at(-1) ?? '',
        name: title,
        passed: status === 'passed',
        ms: Math.round(duration ?? 0),
        message: failureMessages[0]?.split('\n')[0] ?? '',
      })),
  );
}

function readDelays(path: string): Delay[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Delay);
}

function renderDelays(delays: readonly Delay[]): string[] {
  const keys = [...new Set(delays.map(({ agent, what, hooked }) => `${agent}\u0000${what}\u0000${String(hooked)}`))];
  return keys.map((key) => {
    const [agent = '', what = '', hooked = ''] = key.split('\u0000');
    const of = delays.filter((one) => one.agent === agent && one.what === what).map(({ delayMs }) => delayMs);
    const sorted = of.toSorted((a, b) => a - b);
    const [by, limit] = hooked === 'true' ? ['hook and screen', 1_000] : ['screen', 2_000];
    return `| ${agent} | ${what} | ${by} | ${of.length} | ${sorted[Math.floor(sorted.length / 2)] ?? 0} ms | ${sorted.at(-1) ?? 0} ms | ${limit} ms |`;
  });
}

function renderReport(runs: readonly (readonly Outcome[])[], delays: readonly Delay[], sealed: boolean): string {
  const all = runs.flat();
  const keys = [...new Set(all.map(({ agent, name }) => `${agent}\u0000${name}`))];
  const rows = keys.map((key) => {
    const [agent = '', name = ''] = key.split('\u0000');
    const of = all.filter((one) => one.agent === agent && one.name === name);
    const times = of.map(({ ms }) => ms).sort((a, b) => a - b);
    const median = times[Math.floor(times.length / 2)] ?? 0;
    return `| ${agent} ${programNamed(agent).version} | ${name} | ${of.filter(({ passed }) => passed).length} of ${of.length} | ${(median / 1_000).toFixed(1)} s |`;
  });
  const failures = runs.flatMap((run, index) =>
    run
      .filter(({ passed }) => !passed)
      .map(({ agent, name, message }) => `- run ${index + 1}, ${agent}, ${name}: ${message}`),
  );
  const network = sealed ? 'without any network but loopback' : 'with the network of the machine';
  return [
    '# The real programs',
    '',
    `Written by \`npm run test:agents\` on ${new Date().toISOString().slice(0, 10)}: ${runs.length} in a row, ${network}.`,
    '',
    '| program | what | passed | median time |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    'From the screen that shows a question whole to its `task-blocked`, as a reader of the log sees it:',
    '',
    '| program | question | told by | times | p50 | max | limit |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...renderDelays(delays),
    '',
    ...(failures.length === 0 ? [] : ['Failures:', '', ...failures, '']),
  ].join('\n');
}

const repeat = Number(option('repeat') ?? '1');
const only = option('agent');
const programs = agents.filter((agent) => only === undefined || only === agent);
for (const agent of programs) install(programNamed(agent));
const sealed = sealable();
const dir = mkdtempSync(join(root, 'node_modules', '.agents-'));
if (sealed) for (const part of frozen) cpSync(join(root, part), join(dir, part), { recursive: true });
const delays = join(dir, 'delays.ndjson');
process.env['CIS_DELAYS'] = delays;
const runs: Outcome[][] = [];
for (let number = 1; number <= repeat; number += 1) {
  console.log(`— ${number} of ${repeat}`);
  runs.push(await runRound(programs, Number(option('jobs') ?? '1'), dir, sealed ? dir : null));
  const report = renderReport(runs, readDelays(delays), sealed);
  if (only === undefined) writeFileSync(join(import.meta.dirname, 'report.md'), report);
  else console.log(report);
}
rmSync(dir, { recursive: true });
process.exitCode = runs.flat().every(({ passed }) => passed) && runs.flat().length > 0 ? 0 : 1;
