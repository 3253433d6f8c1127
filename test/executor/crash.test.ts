import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CisEvent } from '../../src/domain/event.ts';
import { openWorld, type World } from '../support/world.ts';
import { killHost, look, watchCis, writeDag } from './support.ts';

const rounds = 30;
const taskCount = 50;
const seed = 20_260_102;

/** Fifty tasks in ten waves of five; every second one may run again without asking. Each writes down that it began and ended. */
function crashDag(): string {
  const tasks = Array.from({ length: taskCount }, (_, index) => {
    const deps = index < 5 ? '' : `deps = ["t${index - 5}"]`;
    const command = `echo "$CIS_RUN_ID $CIS_TASK_ID $CIS_ATTEMPT begin" >> log; echo "$CIS_RUN_ID $CIS_TASK_ID $CIS_ATTEMPT end" >> log`;
    return `[[dag.tasks]]\nid = "t${index}"\nidempotent = ${index % 2 === 0}\n${deps}\ncommand = '''${command}'''\n`;
  });
  return `[dag]\nname = "crash"\nmax_workers = 5\n${tasks.join('')}`;
}

/** Small, seeded and good enough to scatter kills (mulberry32). */
function openRandom(from: number): (below: number) => number {
  let state = from;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test(
  `no task whose end was recorded runs again, whoever dies (${rounds} rounds, seed ${seed})`,
  { timeout: 300_000 },
  async () => {
    await using world = openWorld();
    writeDag(world, crashDag());
    const random = openRandom(seed);
    for (let round = 0; round < rounds; round++) {
      await crashRound(world, `r${round}`, random);
      checkLog(world, `r${round}`);
      checkDisk(world, `r${round}`);
    }
    expect(struckCount).toBeGreaterThanOrEqual(rounds);
  },
);

/** How often something was killed; a test that never kills shows nothing. */
let struckCount = 0;

async function crashRound(world: World, run: string, random: (below: number) => number): Promise<void> {
  let kills = 1 + random(2);
  let args = ['dag', 'run', 'dag.toml', '--run-id', run];
  for (let turn = 0; turn < 40; turn++) {
    const cis = watchCis(world, args);
    const after = kills > 0 ? random(turn === 0 ? 250 : 60) : Infinity;
    const struck = await cis.waitFor((_, index) => index >= after);
    if (struck !== null) {
      kills -= 1;
      struckCount += 1;
      const victim = random(3);
      if (victim !== 0) killHost(world);
      if (victim !== 1) cis.child.kill('SIGKILL');
    }
    const end = await cis.ended;
    if (end.code === 0 || look(world, run).events.at(-1)?.kind === 'run-completed') return;
    if (end.code === 3) await decide(world, run, random);
    else expect(end.signal, `${run}: exit ${end.code}: ${end.stderr}`).toBe('SIGKILL');
    args = ['dag', 'execute', '--run-id', run];
  }
  throw new Error(`${run} did not come to an end`);
}

/** What was cut off and may not simply run again is decided by a person: here, one by one, it is to run again. */
async function decide(world: World, run: string, random: (below: number) => number): Promise<void> {
  const undecided = Object.entries(look(world, run).states).flatMap(([id, state]) =>
    state === 'undecided' ? [id] : [],
  );
  expect(undecided.length).toBeGreaterThan(0);
  for (const id of undecided) {
    const prefix = random(2) === 0 ? `${run}:${id}` : `${run}:${id}#1`;
    const said = await world.cis(['dag', 'retry', prefix]);
    expect(said.code, said.stderr).toBe(0);
  }
}

function checkLog(world: World, run: string): void {
  const { events, states } = look(world, run);
  expect(new Set(Object.values(states))).toEqual(new Set(['completed']));
  for (let index = 0; index < taskCount; index++) {
    const id = `t${index}`;
    const own = events.filter((event) => 'task' in event && event.task === id);
    const starts = own.filter((event) => event.kind === 'task-starting').length;
    const allowed = 1 + own.filter((event) => mayStartAgain(event, index % 2 === 0)).length;
    expect(starts, `${run}:${id} was started ${starts} times, allowed were ${allowed}`).toBeLessThanOrEqual(allowed);
    expect(own.filter((event) => event.kind === 'task-completed')).toHaveLength(1);
    expect(own.at(-1)?.kind).toBe('task-completed');
  }
}

function mayStartAgain(event: CisEvent, idempotent: boolean): boolean {
  return idempotent ? event.kind === 'task-lost' : event.kind === 'task-reopened';
}

/** From what the tasks themselves wrote: one process per attempt, and none after an attempt whose end counts. */
function checkDisk(world: World, run: string): void {
  const path = join(world.dir, 'log');
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const own = lines.filter((line) => line.startsWith(`${run} `)).map((line) => line.split(' ').slice(1).join(' '));
  expect(own.length).toBe(new Set(own).size);
  const { events } = look(world, run);
  for (const event of events) {
    if (event.kind !== 'task-completed') continue;
    expect(own).toContain(`${event.task} ${event.attempt} begin`);
    expect(own).toContain(`${event.task} ${event.attempt} end`);
    const later = own.filter((line) => line.startsWith(`${event.task} `) && Number(line.split(' ')[1]) > event.attempt);
    expect(later).toEqual([]);
  }
}
