import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventsOf, openDb, openFleetWorld, type FleetWorld, type FleetWorldOptions, type Member } from '../world.ts';
import { readMachineEvent } from '../../../src/matrix/events/index.ts';
import type { JsonObject } from '../../../src/matrix/http.ts';
import { must, type TestHomeserver } from '../../support/homeserver.ts';
import { judge, type Verdict } from './audit.ts';
import { auditor, chaosDag, taskCount } from './dag.ts';
import { seeded, type Random } from './random.ts';
import { roomsOf } from '../world.ts';

/** What a disturbance may do to a round. */
export interface Round {
  readonly random: Random;
  readonly fleet: FleetWorld;
  readonly run: string;
  /** Who coordinates at the moment; a take-over changes it. */
  coordinator: Member;
  /** Resolves once that many tasks have completed, or the run is over. */
  reached(completed: number): Promise<void>;
  isOver(): boolean;
  /** Kills the process that drives the run. */
  killDriver(): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** What happens, for the report. */
  readonly what: string;
  /** Rounds that may run side by side. */
  readonly sideBySide: number;
  /** The homeserver is disturbed as well, so a round has one of its own. */
  readonly ownServer?: true;
  open?(random: Random, server: TestHomeserver): Promise<Setting>;
  disturb(round: Round, setting: Setting): Promise<void>;
}

/** What a scenario has put between the members and their machines. */
export interface Setting extends AsyncDisposable {
  readonly world: Partial<FleetWorldOptions>;
  /** Acts upon the disturbance. */
  readonly act?: (what: string) => void;
}

export interface Outcome extends Verdict {
  readonly seed: number;
  readonly tookMs: number;
  readonly attempts: number;
  /** Where the room, or a node, tells another story than the log. */
  readonly disagreements: readonly string[];
}

const noSetting: Setting = { world: {}, [Symbol.asyncDispose]: () => Promise.resolve() };

/** Runs 60 tasks on three nodes, disturbs that, answers what is asked, and compares what everybody says of it. */
export async function runRound(scenario: Scenario, seed: number, server: TestHomeserver): Promise<Outcome> {
  const random = seeded(seed);
  await using setting = (await scenario.open?.(random, server)) ?? noSetting;
  await using fleet = await openFleetWorld({ server, nodes: 3, slots: 4, config: auditor, ...setting.world });
  const started = performance.now();
  const audit = join(fleet.coordinator.world.dir, 'audit');
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const run = `chaos-${seed}`;
  const begun = await fleet.run(chaosDag(random, audit), '--run-id', run, '--detach');
  if (begun.code !== 0) throw new Error(begun.stderr);
  const round = openRound(fleet, run, random);
  const answers = answerUndecided(round);
  await scenario.disturb(round, setting);
  await round.over;
  await answers;
  const events = eventsOf(round.coordinator.world, run);
  return {
    seed,
    tookMs: performance.now() - started,
    attempts: events.filter(({ kind }) => kind === 'task-starting').length,
    disagreements: await findDisagreements(round),
    ...judge(events, audit),
  };
}

type OpenRound = Round & { readonly over: Promise<void> };

const lookEveryMs = 100;
/** A round that takes longer hangs. */
const roundMs = 300_000;

function openRound(fleet: FleetWorld, run: string, random: Random): OpenRound {
  const giveUpAt = performance.now() + roundMs;
  const completed = (): number => countStates(round.coordinator, run, 'completed');
  const until = async (check: () => boolean): Promise<void> => {
    while (!check()) {
      if (performance.now() > giveUpAt) throw new Error(`it hangs: ${describe(round)}`);
      await pause(lookEveryMs);
    }
  };
  const round: OpenRound = {
    random,
    fleet,
    run,
    coordinator: fleet.coordinator,
    reached: (count) => until(() => completed() >= count || round.isOver()),
    isOver: () => stateOf(round.coordinator, run) !== 'running' && stateOf(round.coordinator, run) !== 'created',
    async killDriver() {
      const pid = driverOf(round.coordinator, run);
      if (pid === null) return;
      process.kill(pid, 'SIGKILL');
      while (isAlive(pid)) await pause(10);
    },
    get over() {
      return until(() => round.isOver());
    },
  };
  return round;
}

/** Decides what was lost in the middle: it is done again. */
async function answerUndecided(round: Round): Promise<void> {
  while (!round.isOver()) {
    for (const task of tasksIn(round.coordinator, round.run, 'undecided')) {
      await round.coordinator.world.cis(['dag', 'retry', `${round.run}:${task}`]);
    }
    await pause(lookEveryMs);
  }
}

/** What the room and the nodes hold against the coordinator's log. */
async function findDisagreements(round: Round): Promise<string[]> {
  const { coordinator, run, fleet } = round;
  const found: string[] = [];
  const state = stateOf(coordinator, run);
  if (state !== 'completed') found.push(`the run is ${state}`);
  const inRoom = await lastWordsOfRoom(round);
  for (const [task, status] of inRoom) if (status !== 'completed') found.push(`the room says ${task} is ${status}`);
  if (inRoom.size !== taskCount) found.push(`the room knows ${inRoom.size} tasks`);
  for (const node of fleet.nodes) {
    const db = openDb(node.world);
    const open = db.prepare(`SELECT count(*) FROM node_leases WHERE run_id = ? AND state != 'over'`).pluck().get(run);
    db.close();
    if (Number(open) > 0) found.push(`${node.name} still has ${String(open)} sessions`);
  }
  return found;
}

/** The last state of each task that the room was told by whoever coordinates, once it has the end of the run. */
async function lastWordsOfRoom({ coordinator, fleet, run }: Round): Promise<Map<string, string>> {
  const rooms = roomsOf(coordinator.world);
  const nodes = new Set(fleet.nodes.map(({ userId }) => userId));
  for (let tries = 0; tries < 300; tries += 1) {
    const states = new Map<string, string>();
    const said = new Set<string>(); // what is replayed says nothing
    let isEnded = false;
    for (let from: string | null | undefined; from !== null;) {
      const page = must(
        await rooms.messages(fleet.room, {
          direction: 'forward',
          limit: 1000,
          ...(from === undefined ? {} : { from }),
        }),
      );
      for (const event of page.events) {
        const read = readMachineEvent(String(event['type']), event['content'] as JsonObject);
        if (!read.ok || !('run_id' in read.value.event.content) || read.value.event.content.run_id !== run) continue;
        const { type, content } = read.value.event;
        const signature = content.signature?.ed25519 ?? String(event['event_id']);
        if (said.has(signature)) continue;
        said.add(signature);
        if (type === 'cis.dag.run.completed') isEnded = true;
        if (type !== 'cis.dag.task.status' || nodes.has(String(event['sender']))) continue;
        for (const { task_id, status } of content.tasks) states.set(task_id, status);
      }
      from = page.events.length === 0 ? null : page.end;
    }
    if (isEnded) return states;
    await pause(lookEveryMs);
  }
  return new Map();
}

function stateOf(member: Member, run: string): string {
  const db = openDb(member.world);
  const state = db.prepare('SELECT state FROM runs WHERE id = ?').pluck().get(run) as string | undefined;
  db.close();
  return state ?? 'created';
}

function countStates(member: Member, run: string, state: string): number {
  return tasksIn(member, run, state).length;
}

function tasksIn(member: Member, run: string, state: string): string[] {
  const db = openDb(member.world);
  const tasks = db.prepare('SELECT task_id FROM tasks WHERE run_id = ? AND state = ?').pluck().all(run, state);
  db.close();
  return tasks as string[];
}

function driverOf(member: Member, run: string): number | null {
  const db = openDb(member.world);
  const pid = db.prepare('SELECT pid FROM leases WHERE run_id = ?').pluck().get(run) as number | null | undefined;
  db.close();
  return pid ?? null;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function describe({ coordinator, run, fleet }: Round): string {
  const db = openDb(coordinator.world);
  const tasks = db.prepare('SELECT state, count(*) AS n FROM tasks WHERE run_id = ? GROUP BY state').all(run);
  const leases = db
    .prepare(`SELECT session, epoch, body, refusals FROM fleet_leases WHERE run_id = ? AND state != 'over'`)
    .all(run);
  db.close();
  const logs = fleet.nodes.map((node) => `${node.name} (pid ${node.pid() ?? 'none'}): ${node.log().slice(-1500)}`);
  return [`driver ${driverOf(coordinator, run)}`, JSON.stringify(tasks), JSON.stringify(leases), ...logs].join('\n');
}
