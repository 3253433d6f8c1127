import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import type { PointsFile } from '../agents/recorder.ts';
import { watchCis, writeDag } from '../executor/support.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'node_modules/node/bin/node');
const recording = join(root, 'test/screens/agents/claude-approve-by-digit.cast');

interface Line {
  readonly at: number;
  readonly state: string;
  readonly rule: string;
  readonly question?: string;
  readonly index?: { readonly at: number; readonly state: string; readonly rule: string };
  readonly differs?: boolean;
}

const question = 'Do you want to proceed?';
const questions = [
  { question, choices: ['Delete everything', 'Keep it'], selected: 0 },
  { question: 'Do you want to proceed with the rest?', choices: ['Delete that too', 'Keep it'], selected: 0 },
];

/** An agent of the user's own that asks two questions, and the one rule for its screen. */
function writeConfig(world: World, rule: string): void {
  const argv = [node, fixture('asks-menu.mjs'), JSON.stringify({ questions })];
  mkdirSync(world.home.dir, { recursive: true, mode: 0o700 });
  writeFileSync(
    world.home.config,
    `[agents.mytool]\ninteractive = ${JSON.stringify(argv)}\nrules = [{ id = "${rule}", state = "blocked", kind = "approval", any = ["do you want to proceed"] }]\n`,
  );
}

/** Runs it to its end, both questions answered once they were seen. */
async function runAsking(world: World): Promise<void> {
  const task = '[[dag.tasks]]\nid = "ask"\nagent = "mytool"\nmode = "interactive"\nprompt = "Ask"\n';
  const run = watchCis(world, ['dag', 'run', writeDag(world, `[dag]\n${task}`), '--run-id', 'r']);
  for (const number of [1, 2]) {
    await run.waitFor((event: CisEvent) => event.kind === 'task-blocked' && event.block.id === `r:ask!${number}`);
    expect(await world.cis(['dag', 'unblock', 'r:ask', '2'])).toMatchObject({ code: 0 });
  }
  expect(await run.ended).toMatchObject({ code: 0 });
}

async function replay(world: World, args: readonly string[]): Promise<{ agent: string | null; changes: Line[] }> {
  const { code, stdout, stderr } = await world.cis(['agents', 'replay', ...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as { agent: string | null; changes: Line[] };
}

const blocked = ({ changes }: { changes: readonly Line[] }): Line[] =>
  changes.filter(({ state }) => state === 'blocked');

describe('cis agents replay', () => {
  test('judges a session again as its monitor did, and says where the rules of now decide otherwise', async () => {
    await using world = openWorld();
    writeConfig(world, 'first-rule');
    await runAsking(world);

    const same = await replay(world, ['r:ask#1']);
    expect(same.agent).toBe('mytool');
    expect(blocked(same)).toMatchObject(
      questions.map((asked) => ({
        question: asked.question,
        rule: 'first-rule',
        index: { state: 'blocked', rule: 'first-rule' },
        differs: false,
      })),
    );

    const at = String(blocked(same)[0]?.index?.at);
    const report = await world.cis(['agents', 'replay', 'r', '--at', at], { env: { MY_TOKEN: 'Delete everything' } });
    expect(report.code).toBe(0);
    expect(report.stdout).toMatch(
      /^r:ask at [\d.]+ s, \d+x\d+, by the rules for mytool\nscreen {4}blocked \(approval\)\n/u,
    );
    expect(report.stdout).toMatch(/^recorded {2}blocked by first-rule, since/mu);
    expect(report.stdout).toContain('\n  │ ❯ 1. [MY_TOKEN redacted]\n  │   2. Keep it\n');
    expect(report.stdout).not.toContain('Delete everything');

    writeConfig(world, 'second-rule');
    const other = blocked(await replay(world, ['r']));
    expect(other).toMatchObject(
      questions.map(() => ({ rule: 'second-rule', index: { rule: 'first-rule' }, differs: true })),
    );
    const { stdout } = await world.cis(['agents', 'replay', 'r']);
    expect(
      stdout.match(/^≠ .*blocked \(approval\) +second-rule +recorded blocked \(first-rule\) +Do you want/gmu),
    ).toHaveLength(2);
  });

  test('sees every question in a recording of a real program', async () => {
    await using world = openWorld();
    const { points } = JSON.parse(readFileSync(recording.replace('.cast', '.points.json'), 'utf8')) as PointsFile;
    const { changes } = await replay(world, [recording, '--agent', 'claude']);
    for (const point of points.filter(({ state }) => state === 'blocked')) {
      const then = changes.findLast(({ at }) => at * 1_000 <= point.toMs);
      expect(then).toMatchObject({ state: 'blocked', kind: point.kind, question });
      expect(then).not.toHaveProperty('index');
    }
    const { stdout } = await world.cis(['agents', 'replay', recording, '--agent', 'claude', '--at', '3.2']);
    expect(stdout).toContain('command   echo "checking types" > types.log\n');
    expect(stdout).toContain('recorded  nothing: it has no index\n');
  });

  test('comes to the end of one whose times once left a rest of a wait too small for the clock', async () => {
    await using world = openWorld();
    const { changes } = await replay(world, [
      recording.replace('approve-by-digit', 'reject-by-arrows'),
      '--agent',
      'claude',
    ]);
    expect(changes.some(({ state }) => state === 'blocked')).toBe(true);
  });

  test('says in one line what is no recording, and what is not there', async () => {
    await using world = openWorld();
    writeFileSync(join(world.dir, 'bad.cast'), '{"version":3}\n');
    mkdirSync(join(world.dir, 'dir.cast'));
    for (const name of ['bad.cast', 'dir.cast'])
      expect(await world.cis(['agents', 'replay', name])).toMatchObject({
        code: 2,
        stderr: `cis: ${name} is not an asciicast recording (version 2)\n`,
      });
    expect(await world.cis(['agents', 'replay', 'nowhere.cast'])).toMatchObject({
      code: 4,
      stderr: 'cis: there is no file nowhere.cast\n',
    });
    expect(await world.cis(['agents', 'replay', 'nowhere:a'])).toMatchObject({ code: 4 });
    expect(await world.cis(['agents', 'replay', 'bad.cast', '--at', '-1'])).toMatchObject({ code: 2 });
  });
});
