import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bridgePaths } from '../src/bridge/paths.ts';
import { sections } from '../src/config/schema.ts';
import { openIdentity } from '../src/federation/identity.ts';
import { readLockHolder } from '../src/host/lock.ts';
import { giveWay } from '../src/matrix/give-way.ts';
import { openHttp, textOf } from '../src/matrix/http.ts';
import { openRooms, roomPath } from '../src/matrix/rooms.ts';
import { matrixFiles, readAccount } from '../src/matrix/secrets.ts';
import { writeTrust } from '../src/storage/trust.ts';
import { openProxy } from '../test/bridge/proxy.ts';
import { goThrough, writeDag } from '../test/bridge/rooms.ts';
import { openDb, openFleetWorld, type FleetWorld, type Member } from '../test/federation/world.ts';
import { must, startTestHomeserver, type TestHomeserver } from '../test/support/homeserver.ts';
import type { SimulatedFleet } from './fleet-nodes.ts';
import { aloneCpuMs, ownCpuMs, peakMemoryMiB, time, type Timed } from './process.ts';
import { joinSections, type Measurement, type Section, type Target } from './report.ts';
import { followRoom, pause, readHistory } from './rooms.ts';
import { wide } from './shapes.ts';
import { quantile } from './statistics.ts';
import { write, type World } from './world.ts';

/** What a fleet costs: three real nodes without and with a homeserver's limits, then many simulated ones. */
export async function benchFleet(world: World): Promise<Section> {
  world.progress('a homeserver');
  await using server = await startTestHomeserver(forMany);
  // As `cis matrix up` does.
  giveWay(pidOfServer(server));
  const sections: Section[] = [];
  for (const part of [
    () => benchThree(world, server, false),
    () => benchMany(world, server),
    () => benchThree(world, server, true),
  ]) {
    const section = await part();
    for (const { bench, who, what, unit, values } of section.measurements)
      world.progress(`${bench}: ${who}, ${what}: ${values.map((value) => value.toFixed(2)).join(', ')} ${unit}`);
    sections.push(section);
  }
  return joinSections(sections);
}

/** Fifty accounts are invited and join at once; what the homeserver allows of messages stays as it comes. */
const plenty = { per_second: 1000, burst_count: 1000 };
const forMany = {
  rc_joins: { local: plenty, remote: plenty },
  rc_joins_per_room: plenty,
  rc_invites: { per_room: plenty, per_user: plenty, per_issuer: plenty },
};

function pidOfServer({ dir }: TestHomeserver): number {
  return Number(readFileSync(join(dir, 'pid'), 'utf8').split(' ')[0]);
}

/** Sessions at once, of each node. */
const slots = 4;

/** Tests hurry the card; here it is as people have it. */
const env = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: String(sections.dagMatrix.fields.broadcast_interval_ms.default) };

async function benchThree(world: World, server: TestHomeserver, limited: boolean): Promise<Section> {
  const count = world.quick ? 60 : 200;
  const bench = `${count} × true, 3 nodes${limited ? ', default limits' : ''}`;
  await using proxy = await openProxy(server.url);
  await using fleet = await openFleetWorld({ server, nodes: 3, slots, limited, env });
  if (limited) for (const member of [fleet.coordinator, ...fleet.nodes]) goThrough(member.world, proxy.url);
  await Promise.all(fleet.nodes.map((node) => node.start()));
  // Under limits the burst belongs to the run that is measured, and it is as cold as a first one.
  if (!limited) await runIn(fleet, server, 6, 'first');
  const runs: FleetRun[] = [];
  for (let round = 1; round <= (limited ? 1 : Math.min(world.rounds, 3)); round += 1) {
    world.progress(`${bench}: round ${round}`);
    runs.push(await runIn(fleet, server, count, `round${round}`));
  }
  const begun = runs.map(({ run }) => beginnings(fleet.coordinator, run));
  const of = (pick: (run: FleetRun) => number): number[] => runs.map(pick);
  const measured = (who: string, what: string, unit: Measurement['unit'], values: readonly number[]): Measurement => {
    return { bench, who, what, unit, values };
  };
  const worst = (values: readonly number[]): number => Math.max(...values);
  const right = Math.min(...runs.map(({ run }) => countRight(fleet, run)));
  const idle = begun.map((all) =>
    quantile(
      all.map(({ idleMs }) => idleMs),
      0.5,
    ),
  );
  const perTask = of(({ events }) => sum([...events.values()]) / count);
  const target = (text: string, value: number, limit: number, unit: Target['unit'], sense: Target['sense']): Target => {
    return { bench, text, measured: value, limit, unit, sense };
  };
  const complete = target('done once on a node, told once, taken once', right, count, '', 'at least');
  return {
    measurements: [
      measured(
        'cis',
        'wall',
        'ms',
        of(({ wallMs }) => wallMs),
      ),
      measured(
        'cis',
        'until the room has all of it',
        'ms',
        of(({ toldMs }) => toldMs),
      ),
      measured('cis', 'ready with a slot free → begun on the node, p50', 'ms', idle),
      measured(
        'cis',
        'the same, p95',
        'ms',
        begun.map((all) =>
          quantile(
            all.map(({ idleMs }) => idleMs),
            0.95,
          ),
        ),
      ),
      measured(
        'cis',
        'in the queue before that, p50',
        'ms',
        begun.map((all) =>
          quantile(
            all.map(({ queueMs }) => queueMs),
            0.5,
          ),
        ),
      ),
      measured(
        'cis',
        'in the queue, p95',
        'ms',
        begun.map((all) =>
          quantile(
            all.map(({ queueMs }) => queueMs),
            0.95,
          ),
        ),
      ),
      measured('cis', 'events in the room per task', '', perTask),
      measured(
        'cis',
        'CPU of the coordinator',
        'ms',
        of(({ cpuMs }) => cpuMs),
      ),
      ...Object.keys(runs[0]?.cpu ?? {}).map((who) =>
        measured(
          'cis',
          `CPU of ${who}`,
          'ms',
          of(({ cpu }) => cpu[who] ?? Number.NaN),
        ),
      ),
      ...(limited ? [measured('homeserver', 'answers with 429', '', [proxy.refusals()])] : []),
    ],
    targets: limited
      ? [complete]
      : [
          target('wall, worst round', worst(of(({ wallMs }) => wallMs)), 10_000, 'ms', 'at most'),
          target('ready with a slot free → begun, p50, worst round', worst(idle), 500, 'ms', 'at most'),
          target('events per task, worst round', worst(perTask), 1, '', 'at most'),
          complete,
        ],
    notes: [`Events of ${bench}: ${describeEvents(runs.at(-1)?.events ?? new Map())}.`],
  };
}

interface FleetRun extends Timed {
  readonly run: string;
  /** From the start of the command until nothing waits to be sent. */
  readonly toldMs: number;
  readonly events: ReadonlyMap<string, number>;
  readonly cpu: Readonly<Record<string, number>>;
  /** The highest memory of the coordinator's process. */
  readonly peakMiB: number;
  /** The coordinator's CPU time, by instant. */
  readonly samples: readonly { readonly at: number; readonly cpuMs: number }[];
}

async function runIn(
  fleet: FleetWorld,
  server: TestHomeserver,
  count: number,
  run: string,
  workers = 200,
): Promise<FleetRun> {
  const { world } = fleet.coordinator;
  const tasks = wide(count).map(({ id, command }) => `[[dag.tasks]]\nid = "${id}"\ncommand = "${command}"\n`);
  const file = writeDag(world, `[dag]\nname = "fleet"\n${tasks.join('')}`);
  const words = ['dag', 'run', file, '--matrix', '--room', fleet.room, '--run-id', run, '--max-workers', `${workers}`];
  const [program = '', ...head] = world.command;
  const before = await countEvents(fleet);
  const cpuBefore = cpuNow(fleet, server);
  const bridge = watchBridge(fleet.coordinator);
  const samples: { at: number; cpuMs: number }[] = [];
  let peakMiB = 0;
  let looking: NodeJS.Timeout | undefined;
  const started = (pid: number): void => {
    looking = setInterval(() => {
      const cpuMs = aloneCpuMs(pid);
      if (cpuMs > 0) samples.push({ at: Date.now(), cpuMs });
      peakMiB = Math.max(peakMiB, peakMemoryMiB(pid));
    }, 100);
  };
  const startedAt = performance.now();
  const timed = await time({ file: program, args: [...head, ...words], cwd: world.dir, env: world.env, started });
  clearInterval(looking);
  await untilTold(fleet, run);
  const toldMs = performance.now() - startedAt;
  const cpuAfter = cpuNow(fleet, server);
  const cpu = Object.fromEntries(Object.entries(cpuAfter).map(([who, ms]) => [who, ms - (cpuBefore[who] ?? 0)]));
  const events = new Map<string, number>();
  for (const [type, now] of await countEvents(fleet)) {
    const more = now - (before.get(type) ?? 0);
    if (more > 0) events.set(type, more);
  }
  return { ...timed, run, toldMs, events, cpu: { 'its bridge': bridge.end(), ...cpu }, peakMiB, samples };
}

/** Of processes that live through a run. */
function cpuNow({ nodes }: FleetWorld, server: TestHomeserver): Record<string, number> {
  const all = (pidOf: (member: FleetWorld['nodes'][number]) => number | null, cpuOf: (pid: number) => number): number =>
    sum(nodes.map(pidOf).map((pid) => (pid === null ? 0 : cpuOf(pid))));
  const ofNodes = {
    'the nodes': all((node) => node.pid(), aloneCpuMs),
    "the nodes' bridges": all(bridgePid, aloneCpuMs),
    "the nodes' hosts": all(hostPid, ownCpuMs),
  };
  const isReal = nodes.some((node) => node.pid() !== null);
  return { ...(isReal ? ofNodes : {}), 'the homeserver': aloneCpuMs(pidOfServer(server)) };
}

function bridgePid({ world }: Member): number | null {
  return readLockHolder(bridgePaths(world.home).lock);
}

function hostPid({ world }: Member): number | null {
  const path = join(world.home.run, 'host.pid');
  if (!existsSync(path)) return null;
  const pid = Number(/\d+/.exec(readFileSync(path, 'utf8'))?.[0]);
  return existsSync(`/proc/${pid}`) ? pid : null;
}

/** The bridge of a coordinator comes with the run and may go before one can look: it is looked at meanwhile. */
function watchBridge(member: Member): { end(): number } {
  const first = bridgePid(member);
  const base = first === null ? 0 : aloneCpuMs(first);
  const seen = new Map<number, number>();
  const look = (): void => {
    const pid = bridgePid(member);
    if (pid !== null) seen.set(pid, Math.max(seen.get(pid) ?? 0, aloneCpuMs(pid)));
  };
  const timer = setInterval(look, 200);
  return {
    end() {
      clearInterval(timer);
      look();
      return sum([...seen.values()]) - base;
    },
  };
}

const tellWithinMs = 300_000;

/** Resolves once no home of the fleet has something that waits to be sent, and the card of the run is closed. */
async function untilTold({ coordinator, nodes }: FleetWorld, run: string): Promise<void> {
  const until = performance.now() + tellWithinMs;
  for (const { world } of [coordinator, ...nodes]) {
    const db = openDb(world);
    const query = db.prepare(
      `SELECT 1 FROM bridge_runs WHERE run_id = ? AND closed = 0
       UNION ALL SELECT 1 FROM outbox WHERE state = 'waiting' LIMIT 1`,
    );
    while (query.get(run) !== undefined) {
      if (performance.now() > until) throw new Error(`the room was not told all of ${run} within ${tellWithinMs} ms`);
      await pause(50);
    }
    db.close();
  }
}

/** Everything in the fleet's rooms, by type. */
async function countEvents(fleet: FleetWorld): Promise<Map<string, number>> {
  const counted = new Map<string, number>();
  for (const { type } of await readHistory(httpOf(fleet.coordinator), fleet.room)) {
    const name = textOf(type, '');
    counted.set(name, (counted.get(name) ?? 0) + 1);
  }
  return counted;
}

function httpOf({ world }: Member) {
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('nobody is logged in');
  return openHttp(account.homeserver, account.accessToken);
}

function describeEvents(events: ReadonlyMap<string, number>): string {
  const words = [...events].toSorted(([, a], [, b]) => b - a).map(([type, count]) => `${count} ${type}`);
  return `${sum([...events.values()])}: ${words.join(', ')}`;
}

interface Beginning {
  readonly idleMs: number;
  readonly queueMs: number;
}

/**
 * How long each task waited for a slot (queue), and then the slot for the task (idle), by the nodes' own clocks: on a node with
 * k slots, the i-th that begins takes the slot that the (i-k)-th end left. Begun is when the node asks its host.
 */
function beginnings({ world }: Member, run: string): Beginning[] {
  const db = openDb(world);
  // Of a session that was given twice the last one counts.
  const query = `SELECT r.at AS readyAt, json_extract(g.body, '$.did') AS did, max(g.seq) AS given,
      json_extract(e.report, '$.startedAt') AS startedAt, json_extract(e.report, '$.endedAt') AS endedAt
    FROM fleet_entries e
    JOIN events g ON g.run_id = e.run_id AND g.kind = 'node-given' AND json_extract(g.body, '$.session') = e.session
    JOIN events r ON r.run_id = e.run_id AND r.kind = 'task-ready'
      AND e.session = e.run_id || ':' || json_extract(r.body, '$.task')
    WHERE e.run_id = ? AND e.report IS NOT NULL GROUP BY e.session`;
  const rows = db.prepare(query).all(run) as { readyAt: number; did: string; startedAt: number; endedAt: number }[];
  db.close();
  return [...Map.groupBy(rows, ({ did }) => did).values()].flatMap((ofNode) => {
    const ends = ofNode.map(({ endedAt }) => endedAt).toSorted((a, b) => a - b);
    return ofNode
      .toSorted((a, b) => a.startedAt - b.startedAt)
      .map(({ readyAt, startedAt }, index) => {
        const freeAt = index < slots ? readyAt : Math.max(readyAt, ends[index - slots] ?? readyAt);
        return { idleMs: startedAt - freeAt, queueMs: freeAt - readyAt };
      });
  });
}

/** How many tasks of a run were done by exactly one node, told in the room exactly once, and completed in the log exactly once. */
function countRight({ coordinator, nodes }: FleetWorld, run: string): number {
  const timesIn = (member: Member, query: string): Map<string, number> => {
    const db = openDb(member.world);
    const tasks = db.prepare(query).pluck().all(run) as string[];
    db.close();
    return tally(tasks);
  };
  const done = nodes.map((node) =>
    timesIn(node, `SELECT task_id FROM node_leases WHERE run_id = ? AND json_extract(body, '$.report.end.code') = 0`),
  );
  const told = timesIn(
    coordinator,
    `SELECT json_extract(r.value, '$.task_id') FROM fleet_inbox i, json_each(i.content, '$.results') r
     WHERE i.type = 'cis.dag.task.result' AND json_extract(r.value, '$.run_id') = ?`,
  );
  const taken = timesIn(
    coordinator,
    `SELECT json_extract(body, '$.task') FROM events WHERE run_id = ? AND kind = 'task-completed'`,
  );
  return [...taken].filter(([task, times]) => {
    return times === 1 && told.get(task) === 1 && sum(done.map((of) => of.get(task) ?? 0)) === 1;
  }).length;
}

function tally(words: readonly string[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const word of words) times.set(word, (times.get(word) ?? 0) + 1);
  return times;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function benchMany(world: World, server: TestHomeserver): Promise<Section> {
  const [nodes, few, many] = world.quick ? [10, 100, 400] : [50, 500, 2000];
  const bench = `${nodes} simulated nodes`;
  await using fleet = await openFleetWorld({ server, nodes: 1, env });
  world.progress(`${bench}: accounts`);
  using simulated = await openSimulated(world, server, fleet, nodes);
  world.progress(`${bench}: ${few} tasks`);
  const small = await runIn(fleet, server, few, 'few', 400);
  world.progress(`${bench}: ${many} tasks`);
  const large = await runIn(fleet, server, many, 'many', 400);
  world.progress(`${bench}: what the homeserver takes`);
  const floods: (Flood & { readonly listeners: number })[] = [];
  for (const listeners of [1, nodes]) {
    const flood = await floodRoom(server, simulated.fleet, listeners, world.quick ? 2000 : 6000);
    floods.push({ ...flood, listeners });
  }
  const quarters = cpuByQuarter(fleet.coordinator, large, many);
  const [firstQuarter = Number.NaN, , , lastQuarter = Number.NaN] = quarters;
  const moreKiB = ((large.peakMiB - small.peakMiB) * 1024) / (many - few);
  const measurements: Measurement[] = [
    ...[small, large].flatMap((run): Measurement[] => {
      const count = run === small ? few : many;
      const of = `${count} tasks`;
      const measured = (what: string, unit: Measurement['unit'], value: number): Measurement => {
        return { bench, who: of, what, unit, values: [value] };
      };
      const events = sum([...run.events.values()]);
      return [
        measured('wall', 'ms', run.wallMs),
        measured('CPU of the coordinator per task', 'ms', run.cpuMs / count),
        ...Object.entries(run.cpu).map(([who, ms]) => measured(`CPU of ${who} per task`, 'ms', ms / count)),
        measured('highest memory of the coordinator', 'MiB', run.peakMiB),
        measured('events in the room per task', '', events / count),
        measured('events in the room', '/s', events / (run.wallMs / 1000)),
      ];
    }),
    ...quarters.map((value, index): Measurement => {
      return { bench, who: `${many} tasks`, what: `CPU per task, quarter ${index + 1}`, unit: 'ms', values: [value] };
    }),
    ...floods.flatMap(({ listeners, perSecond, cpuMsPerEvent }): Measurement[] => {
      const who = `homeserver, ${listeners} following`;
      return [
        { bench, who, what: 'events of 1.5 KiB it takes', unit: '/s', values: [perSecond] },
        { bench, who, what: 'its CPU per event', unit: 'ms', values: [cpuMsPerEvent] },
      ];
    }),
    { bench, who: 'coordinator', what: 'memory per further task', unit: 'KiB', values: [moreKiB] },
  ];
  const target = (text: string, measured: number, most: number): Target => {
    return { bench, text, measured, limit: most, sense: 'at most', unit: '×' };
  };
  return {
    measurements,
    targets: [
      target(`CPU per task, ${many} tasks ÷ ${few}`, large.cpuMs / many / (small.cpuMs / few), 1.1),
      target('CPU per task, last quarter ÷ first', lastQuarter / firstQuarter, 1.1),
      target(`highest memory, ${many} tasks ÷ ${few}`, large.peakMiB / small.peakMiB, 1.1),
    ],
    notes: [`Events of ${many} tasks over ${nodes} simulated nodes: ${describeEvents(large.events)}.`],
  };
}

/** Of each quarter of the tasks, by the log's own instants. */
function cpuByQuarter({ world }: Member, { run, samples }: FleetRun, count: number): number[] {
  const db = openDb(world);
  const query = `SELECT at FROM events WHERE run_id = ? AND kind = 'task-completed' ORDER BY seq`;
  const ends = db.prepare(query).pluck().all(run) as number[];
  const begun = db.prepare(`SELECT min(at) FROM events WHERE run_id = ? AND kind = 'node-given'`).pluck().get(run);
  db.close();
  const at = (instant: number): number => samples.findLast((sample) => sample.at <= instant)?.cpuMs ?? 0;
  const marks = [Number(begun), ...[1, 2, 3, 4].map((quarter) => ends[Math.round((count * quarter) / 4) - 1] ?? 0)];
  return marks.slice(1).map((mark, index) => (at(mark) - at(marks[index] ?? 0)) / (count / 4));
}

interface Simulated extends Disposable {
  readonly fleet: SimulatedFleet;
}

/** Accounts and keys for so many nodes, in the room and trusted; resolves once their process listens. */
async function openSimulated(
  world: World,
  server: TestHomeserver,
  fleet: FleetWorld,
  count: number,
): Promise<Simulated> {
  const { coordinator, room } = fleet;
  const rooms = openRooms(httpOf(coordinator));
  const db = openDb(coordinator.world);
  const nodes: SimulatedFleet['nodes'][number][] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `sim-${index}`;
    const dir = join(world.dir, name);
    mkdirSync(dir);
    const account = await server.user(`${name}-${process.pid}`);
    must(await rooms.invite(room, account.userId));
    const { did } = openIdentity({ dir });
    const row = { did, node: name, userId: account.userId, roles: ['worker'], how: 'command', at: Date.now() } as const;
    writeTrust(db, row, new Map());
    nodes.push({ name, dir, account });
  }
  db.close();
  const simulated: SimulatedFleet = { room, slots: 8, mostMs: 500, nodes };
  const path = write(world, 'fleet.json', JSON.stringify(simulated));
  const program = join(import.meta.dirname, 'fleet-nodes.ts');
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the simulated nodes ended with ${code}`)));
  });
  return { fleet: simulated, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

interface Flood {
  readonly perSecond: number;
  /** Of the homeserver. */
  readonly cpuMsPerEvent: number;
}

/** What the homeserver takes from many that send as fast as they can, while so many clients follow the room. */
async function floodRoom(
  server: TestHomeserver,
  { room, nodes }: SimulatedFleet,
  listeners: number,
  forMs: number,
): Promise<Flood> {
  const stop = new AbortController();
  const https = nodes.map(({ account }) => openHttp(account.homeserver, account.accessToken));
  const following = https.slice(0, listeners).map((http) => {
    const listening = Promise.withResolvers<void>();
    const ended = followRoom(http, room, stop.signal, () => listening.resolve());
    return { ended, listening: listening.promise };
  });
  await Promise.all(following.map(({ listening }) => listening));
  const body = { filler: 'x'.repeat(1500) };
  const cpuBefore = aloneCpuMs(pidOfServer(server));
  const startedAt = performance.now();
  let sent = 0;
  await Promise.all(
    https.slice(0, 8).map(async (http, sender) => {
      for (let index = 0; performance.now() - startedAt < forMs; index += 1) {
        const path = `${roomPath(room)}/send/cis.bench/flood${listeners}.${sender}.${index}`;
        must(await http.json({ method: 'PUT', path, body }));
        sent += 1;
      }
    }),
  );
  const perSecond = sent / ((performance.now() - startedAt) / 1000);
  const cpuMsPerEvent = (aloneCpuMs(pidOfServer(server)) - cpuBefore) / sent;
  stop.abort();
  await Promise.all(following.map(({ ended }) => ended));
  return { perSecond, cpuMsPerEvent };
}
