import { join } from 'node:path';
import { expect, test } from 'vitest';
import { killHost, look, watchCis } from '../executor/support.ts';
import { openWorld, type World } from '../support/world.ts';
import { dagOf, gitIn, makeRepository, snapshot } from './support.ts';

const rounds = 10;

/** Kills the driver, the host or both after the `after`-th event of a start, until the run comes to its end. */
async function crashRound(world: World, file: string, run: string, round: number): Promise<number> {
  let args = ['dag', 'run', file, '--run-id', run];
  let struck = 0;
  for (let turn = 0; turn < 20; turn++) {
    const cis = watchCis(world, args);
    const past = turn === 0 ? 0 : look(world, run).events.length;
    const after = turn < 2 ? past + ((round * 5 + turn * 7) % 24) : Infinity;
    if ((await cis.waitFor((_, index) => index >= after)) !== null) {
      struck += 1;
      if (round % 3 !== 0) cis.child.kill('SIGKILL');
      if (round % 3 !== 1) killHost(world);
    }
    const end = await cis.ended;
    if (look(world, run).events.at(-1)?.kind === 'run-completed') return struck;
    expect(end.code === null || end.code === 3, `${run}: exit ${end.code}: ${end.stderr}`).toBe(true);
    args = ['dag', 'execute', '--run-id', run];
  }
  throw new Error(`${run} did not come to an end: ${JSON.stringify(look(world, run).states)}`);
}

test(
  `whoever is killed, execute goes on, every task's work is there once, and the person's tree is as it was (${rounds} rounds)`,
  { timeout: 240_000 },
  async () => {
    await using world = openWorld();
    const repo = makeRepository(world, 'repo', { 'base.txt': 'base\n' });
    const before = snapshot(world, repo);
    const work = (id: string) =>
      `idempotent = true\ncommand = 'test ! -e ${id}.txt && echo "$CIS_TASK_ID" > ${id}.txt'`;
    const file = dagOf(world, repo, {
      a: work('a'),
      b: work('b'),
      c: `deps = ["a", "b"]\n${work('c')}`,
      d: `deps = ["a"]\n${work('d')}`,
      e: `deps = ["c", "d"]\n${work('e')}`,
    });
    let struck = 0;
    for (let round = 0; round < rounds; round++) {
      const run = `r${round}`;
      struck += await crashRound(world, file, run, round);
      expect(gitIn(world, repo, 'ls-tree', '--name-only', `cis/${run}/e`).split('\n')).toEqual(
        ['a', 'b', 'base', 'c', 'd', 'e'].map((id) => `${id}.txt`),
      );
      const { events } = look(world, run);
      for (const task of ['a', 'b', 'c', 'd', 'e']) {
        const committed = events.filter((event) => event.kind === 'task-work-committed' && event.task === task);
        expect(committed.length, `${run}:${task}`).toBe(1);
      }
      expect(gitIn(world, join(world.home.worktrees, run, 'e'), 'status', '--porcelain')).toBe('');
    }
    expect(struck).toBeGreaterThanOrEqual(rounds);
    expect(snapshot(world, repo)).toEqual(before);
  },
);
