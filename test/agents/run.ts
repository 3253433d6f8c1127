import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install, programNamed } from './programs.ts';
import { runSealed, sealable } from './sealed.ts';

// Usage: npm run test:agents -- [--repeat N] [--agent NAME]
// Installs the real programs outside the repository, runs each through every case N times, and writes test/agents/report.md.

const root = join(import.meta.dirname, '..', '..');
const agents = ['claude', 'codex', 'opencode', 'qwen'] as const;

interface Outcome {
  readonly agent: string;
  readonly name: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly message: string;
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

function runOnce(results: string, sealed: boolean): Outcome[] {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'vitest.agents.config.ts');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
  const command = [process.execPath, vitest, 'run', '--config', config, ...reporters];
  const [file = '', ...args] = command;
  if (sealed) runSealed(command);
  else spawnSync(file, args, { stdio: 'inherit', cwd: root });
  return readOutcomes(results);
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

function renderReport(runs: readonly (readonly Outcome[])[], sealed: boolean): string {
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
    ...(failures.length === 0 ? [] : ['Failures:', '', ...failures, '']),
  ].join('\n');
}

const repeat = Number(option('repeat') ?? '1');
const only = option('agent');
if (only !== undefined) process.env['CIS_AGENT'] = only;
for (const agent of agents) if (only === undefined || only === agent) install(programNamed(agent));
const sealed = sealable();
const dir = mkdtempSync(join(root, 'node_modules', '.agents-'));
const runs: Outcome[][] = [];
for (let number = 1; number <= repeat; number += 1) {
  console.log(`— ${number} of ${repeat}`);
  runs.push(runOnce(join(dir, 'results.json'), sealed));
}
rmSync(dir, { recursive: true });
if (only === undefined) writeFileSync(join(import.meta.dirname, 'report.md'), renderReport(runs, sealed));
else console.log(renderReport(runs, sealed));
process.exitCode = runs.flat().every(({ passed }) => passed) && runs.flat().length > 0 ? 0 : 1;
