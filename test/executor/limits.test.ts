import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { fixture } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';
import { look, watchCis, writeDag } from './support.ts';

const node = join(fileURLToPath(new URL('../..', import.meta.url)), 'node_modules/node/bin/node');
const isBlocked = (event: CisEvent): boolean => event.kind === 'task-blocked';

/** A run of one agent that says this of its limit; whoever is notified of a question leaves the file `told`. */
function runLimited(world: World, said: string, more = '') {
  mkdirSync(world.home.dir, { recursive: true, mode: 0o700 });
  const argv = ['touch', join(world.dir, 'told')];
  writeFileSync(
    world.home.config,
    `[notify]\ngrace_secs = 0\ncommand = ${JSON.stringify(argv)}\n` +
      `[agents.claude]\ninteractive = ${JSON.stringify([node, fixture('limited-agent.mjs'), said])}\n`,
  );
  const file = writeDag(
    world,
    `[dag]\n[[dag.tasks]]\nid = "work"\nagent = "claude"\nmode = "interactive"\nprompt = "Do the work"\n${more}\n`,
  );
  return watchCis(world, ['dag', 'run', file, '--run-id', 'r']);
}

describe('a limit of an agent', () => {
  test('is waited for without a person when the task says so: nobody is told, and the program goes on at the time', async () => {
    await using world = openWorld();
    const more = 'on_rate_limit = "wait"\nunblock_timeout_secs = 0.2\non_blocked = "fail"';
    const run = runLimited(world, "You've hit your limit · try again in 4 s", more);
    const blocked = await run.waitFor(isBlocked);
    expect(blocked).toMatchObject({ block: { kind: 'rate-limit', waits: true } });
    const until = blocked?.kind === 'task-blocked' ? (blocked.block.until ?? 0) : 0;
    expect((await world.cis(['dag', 'status', 'r'])).stdout).toMatch(/work.*waits until \d\d:\d\d/u);
    expect((await world.cis(['dag', 'sessions'])).stdout).toMatch(/waits until \d\d:\d\d/u);
    expect(await run.ended).toMatchObject({ code: 0 });
    const went = run.events.find((event) => event.kind === 'session-unblocked');
    expect(went).toMatchObject({
      answer: { kind: 'text', text: 'continue' },
      source: { by: 'on_rate_limit', via: 'rule' },
    });
    expect(Date.now()).toBeGreaterThanOrEqual(until);
    expect((await world.cis(['dag', 'output', 'r', 'work'])).stdout).toContain('was told: continue');
    expect(existsSync(join(world.dir, 'told'))).toBe(false);
  });

  test('is an ordinary block without a time, and where the task does not say that it waits', async () => {
    for (const [said, more] of [
      ["You've hit your limit · see /usage", 'on_rate_limit = "wait"'],
      ["You've hit your limit · try again in 1 s", ''],
    ] as const) {
      await using world = openWorld();
      const run = runLimited(world, said, more);
      const blocked = await run.waitFor(isBlocked);
      expect(blocked).toMatchObject({ block: { kind: 'rate-limit' } });
      expect(blocked?.kind === 'task-blocked' && 'waits' in blocked.block).toBe(false);
      expect((await world.cis(['dag', 'wait', 'r', '--blocked'])).code).toBe(0);
      expect(look(world, 'r').states).toEqual({ work: 'blocked' });
      expect(await world.cis(['dag', 'unblock', 'r:work', '--text', 'continue'])).toMatchObject({ code: 0 });
      expect(await run.ended).toMatchObject({ code: 0 });
    }
  });
});
