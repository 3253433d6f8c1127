import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openProxy } from '../test/bridge/proxy.ts';
import { startTestHomeserver, type TestHomeserver } from '../test/support/homeserver.ts';
import { giveWay } from '../src/matrix/give-way.ts';
import { textOf, type JsonObject } from '../src/matrix/http.ts';
import { time, type Timed } from './process.ts';
import { joinSections, type Measurement, type Section, type Target } from './report.ts';
import { goThrough, logIn, makeRoom, memberOf, openDb, openPerson, pause, placeIn, untilTold } from './rooms.ts';
import * as shapes from './shapes.ts';
import { pairedRatio, quantile } from './statistics.ts';
import { cis, ensureHost, stopHost, timeCis, write, type World } from './world.ts';

/** What a room costs a run, how fast it asks and answers, and how it keeps to a homeserver's default limits. */
export async function benchHybrid(world: World): Promise<Section> {
  world.progress('a homeserver');
  let server: TestHomeserver;
  try {
    server = await startTestHomeserver();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      measurements: [],
      targets: [],
      notes: [`No homeserver could be started, so nothing of rooms was measured: ${reason}`],
    };
  }
  await using _ = server;
  // As `cis matrix up` does.
  giveWay(Number(readFileSync(join(server.dir, 'pid'), 'utf8').split(' ')[0]));
  return joinSections([
    await benchCosts(world, server),
    await benchLatency(world, server),
    await benchLimits(world, server),
  ]);
}

/** A run that waits for a person, so that the bridge lives through all rounds. */
const keeper = 'keeper';

async function keepBridge(place: World, room: string): Promise<void> {
  const dag = `[dag]\nname = "keeper"\n[[dag.tasks]]\nid = "wait"\nlevel = { type = "confirmed" }\ncommand = "true"\n`;
  const words = ['dag', 'run', write(place, 'keeper.toml', dag), '--detach', '--hybrid', '--room', room];
  await time(cis(place, [...words, '--run-id', keeper]));
  using opened = openDb(place);
  const question = opened.db.prepare(`SELECT 1 FROM outbox WHERE lane = 'question' AND state = 'sent'`);
  while (question.get() === undefined) await pause(50);
  await untilTold(place, keeper);
}

/** Ends everything that runs in the home. */
async function close(place: World): Promise<void> {
  await time(cis(place, ['dag', 'abort', keeper], { accept: [0, 1, 4, 6] }));
  await stopHost(place);
  const lock = join(place.env['CIS_HOME'] ?? '', 'run', 'bridge.pid');
  if (!existsSync(lock)) return;
  const { pid } = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // it has just ended
  }
}

async function benchCosts(world: World, server: TestHomeserver): Promise<Section> {
  const shape = world.quick ? shapes.wide200 : shapes.wide2000;
  const bench = `${shape.name}, in a room`;
  const local = placeIn(world, 'local');
  const [down, up] = [placeIn(world, 'down'), placeIn(world, 'up')];
  const way = await openProxy(server.url);
  const rooms = new Map<World, string>();
  for (const [place, name] of [
    [down, 'bot-down'],
    [up, 'bot-up'],
  ] as const) {
    await logIn(place, server, name, false);
    rooms.set(place, await makeRoom(place, 'bench', []));
    if (place === down) goThrough(place, way.url);
    await ensureHost(place);
    await keepBridge(place, rooms.get(place) ?? '');
  }
  // From now on one of them gets no answer.
  await way[Symbol.asyncDispose]();
  await ensureHost(local);
  const taken = new Map<World, Timed[]>([local, down, up].map((place) => [place, []]));
  const own = new Map<World, number[]>([local, down, up].map((place) => [place, []]));
  for (let round = 0; round <= world.rounds; round++) {
    for (const place of [local, down, up]) {
      world.progress(`${bench}: ${place.dir.split('/').at(-1) ?? ''}, round ${round} of ${world.rounds}`);
      const room = rooms.get(place);
      const more = room === undefined ? [] : ['--hybrid', '--room', room];
      const file = write(place, 'dag.toml', shapes.renderForCis(shape));
      const timed = await timeCis(place, ['dag', 'run', file, ...more]);
      if (place === up) await untilTold(up, keeper);
      // The first round warms up.
      if (round === 0) continue;
      taken.get(place)?.push(timed);
      own.get(place)?.push(timed.commandCpuMs);
    }
  }
  for (const place of [local, down, up]) await close(place);
  const walls = (place: World): number[] => (taken.get(place) ?? []).map(({ wallMs }) => wallMs);
  const target = (text: string, measured: number, limit: number): Target => {
    return { bench, text, measured, limit, sense: 'at most', unit: '×' };
  };
  const names = [
    [local, 'local'],
    [down, 'hybrid, server down'],
    [up, 'hybrid, server here'],
  ] as const;
  return {
    measurements: names.flatMap(([place, who]): Measurement[] => [
      { bench, who, what: 'wall', unit: 'ms', values: walls(place) },
      { bench, who, what: 'CPU of the executor', unit: 'ms', values: own.get(place) ?? [] },
    ]),
    targets: [
      target('homeserver down ÷ local, wall', pairedRatio(walls(down), walls(local)), 1.1),
      target('homeserver here ÷ local, wall', pairedRatio(walls(up), walls(local)), 1.15),
      target("executor's CPU, homeserver down", pairedRatio(own.get(down) ?? [], own.get(local) ?? []), 1.02),
      target("executor's CPU, homeserver here", pairedRatio(own.get(up) ?? [], own.get(local) ?? []), 1.02),
    ],
    notes: [],
  };
}

/** Asks in a terminal, and says when it had the answer. */
const asks = (id: string): string => `printf 'Proceed? [y/N] '; read -r answer; date +%s%3N > answered-${id}`;

interface Asked {
  readonly task: string;
  /** When the monitor saw the question first: a little before its verdict. */
  readonly since: number;
}

/** The questions of a run, in the order in which they were asked. */
function questionsIn(place: World, run: string): Asked[] {
  using opened = openDb(place);
  const query = `SELECT json_extract(body, '$.task') AS task, json_extract(body, '$.block.since') AS since FROM events
    WHERE run_id = ? AND kind = 'task-blocked' ORDER BY seq`;
  return opened.db.prepare(query).all(run) as Asked[];
}

const asksFor =
  (task: string) =>
  ({ content }: JsonObject): boolean => {
    const { questions } = memberOf(memberOf({ content }, 'content'), 'cis.question');
    return Array.isArray(questions) && questions.some((one: JsonObject) => one['task_id'] === task);
  };

function replyTo(event: JsonObject, body: string): JsonObject {
  const relation = { 'm.in_reply_to': { event_id: textOf(event['event_id'], '') } };
  return { msgtype: 'm.text', body, 'm.mentions': {}, 'm.relates_to': relation };
}

async function benchLatency(world: World, server: TestHomeserver): Promise<Section> {
  const bench = 'a question in a room';
  const place = placeIn(world, 'asking');
  const ids = Array.from({ length: world.quick ? 6 : 25 }, (_, index) => `ask${index}`);
  await logIn(place, server, 'bot-asking', false);
  const account = await server.user('person-asking');
  const room = await makeRoom(place, 'bench', [account.userId]);
  await using person = await openPerson(account, room);
  const tasks = ids.map((id, index) => {
    const deps = index === 0 ? '' : `deps = ["${ids[index - 1]}"]\n`;
    return `[[dag.tasks]]\nid = "${id}"\n${deps}command = '''${asks(id)}'''\n`;
  });
  const file = write(place, 'asking.toml', `[dag]\nname = "asking"\n${tasks.join('')}`);
  const running = time(
    cis(asIf(place, account.userId), ['dag', 'run', file, '--hybrid', '--room', room, '--run-id', 'asking']),
  );
  const asked: number[] = [];
  const taken: number[] = [];
  for (const id of ids) {
    world.progress(`${bench}: ${id} of ${ids.length}`);
    const question = await person.seen(asksFor(id));
    const saidAt = await person.send('m.room.message', replyTo(question, 'y'));
    const answered = join(place.dir, `answered-${id}`);
    const at = await readOnceThere(answered);
    const since = questionsIn(place, 'asking').find(({ task }) => task === id)?.since ?? Number.NaN;
    asked.push(Number(question['origin_server_ts']) - since);
    taken.push(at - saidAt);
  }
  await running;
  await close(place);
  const at = (text: string, values: readonly number[], limit: number): Target => {
    return { bench, text, measured: quantile(values, 0.95), limit, sense: 'at most', unit: 'ms' };
  };
  return {
    measurements: [
      { bench, who: 'cis', what: 'from the prompt on the screen to the room', unit: 'ms', values: asked },
      { bench, who: 'cis', what: "from the room to the program's read", unit: 'ms', values: taken },
    ],
    targets: [at('asked, p95', asked, 2000), at('answered, p95', taken, 1000)],
    notes: [],
  };
}

/** People of power level 0 may answer when the config names them. */
function asIf(place: World, user: string): World {
  return { ...place, env: { ...place.env, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: user } };
}

async function readOnceThere(path: string): Promise<number> {
  for (;;) {
    const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
    if (text !== '') return Number(text);
    await pause(20);
  }
}

/** What a homeserver allows as it comes, and questions amid all else. */
async function benchLimits(world: World, server: TestHomeserver): Promise<Section> {
  const count = world.quick ? 200 : 2000;
  const bench = `${count} tasks, default limits`;
  const place = placeIn(world, 'limited');
  await using proxy = await openProxy(server.url);
  await logIn(place, server, 'bot-limited', true);
  goThrough(place, proxy.url);
  const account = await server.user('person-limited');
  const room = await makeRoom(place, 'bench', [account.userId]);
  await using person = await openPerson(account, room);
  // One is asked at once, five more together when the rest is done and the burst is used.
  const late = [1, 2, 3, 4, 5].map((n) => `late${n}`);
  const work = shapes.wide(count).map(({ id }) => `[[dag.tasks]]\nid = "${id}"\ncommand = "true"\n`);
  const ask = (id: string, deps: string): string => `[[dag.tasks]]\nid = "${id}"\n${deps}command = '''${asks(id)}'''\n`;
  const questions = [ask('first', ''), ...late.map((id) => ask(id, `deps = ["first", "t${count - 1}"]\n`))];
  const head = `[dag]\nname = "long"\nmax_workers = ${shapes.jobs}\n`;
  const file = write(place, 'long.toml', `${head}${questions.join('')}${work.join('')}`);
  await ensureHost(place);
  world.progress(`${bench}: the run`);
  const line = ['dag', 'run', file, '--hybrid', '--room', room, '--run-id', 'long', '--flush'];
  const running = time(cis(asIf(place, account.userId), line));
  const answer = async (id: string): Promise<JsonObject> => {
    const question = await person.seen(asksFor(id));
    await person.send('m.room.message', replyTo(question, 'y'));
    return question;
  };
  const first = await answer('first');
  // All five are open at once: they are answered when the last of them is in the room.
  const opened: JsonObject[] = [];
  for (const id of late) opened.push(await person.seen(asksFor(id)));
  world.progress(`${bench}: the rest of it`);
  for (const id of late) await answer(id);
  await running;
  const since = new Map(questionsIn(place, 'long').map((one) => [one.task, one.since]));
  const delayOf = (event: JsonObject, task: string): number =>
    Number(event['origin_server_ts']) - (since.get(task) ?? Number.NaN);
  const delays = late
    .flatMap((id, index) => (opened[index] === undefined ? [] : [delayOf(opened[index], id)]))
    .toSorted((a, b) => a - b);
  const overdue = delays.map((ms, index) => ms - 5000 * (index + 1));
  const events = (await person.history()).filter((event) => 'cis.txn' in memberOf(event, 'content'));
  const card = lastCard(events);
  await close(place);
  const common = { bench, sense: 'at most' } as const;
  return {
    measurements: [
      {
        bench,
        who: 'cis',
        what: 'the first question in the room after',
        unit: 'ms',
        values: [delayOf(first, 'first')],
      },
      { bench, who: 'cis', what: 'five at once with the burst used, in the room after', unit: 'ms', values: delays },
      { bench, who: 'cis', what: 'events in the room', unit: '', values: [events.length] },
    ],
    targets: [
      { ...common, text: 'first question after', measured: delayOf(first, 'first'), limit: 6000, unit: 'ms' },
      {
        ...common,
        text: 'of five open ones, the i-th after 5 s × i, worst',
        measured: Math.max(...overdue),
        limit: 0,
        unit: 'ms',
      },
      { ...common, text: 'refusals with 429', measured: proxy.refusals(), limit: 1, unit: '' },
      { ...common, text: 'lines of the card', measured: card.split('\n').length, limit: 15, unit: '' },
    ],
    notes: [`The card at the end of ${bench}: \`${card.replaceAll('\n', ' ⏎ ')}\``],
  };
}

/** What the card's last edit says. */
function lastCard(events: readonly JsonObject[]): string {
  const edits = events.filter((event) => {
    const content = memberOf(event, 'content');
    return memberOf(content, 'm.relates_to')['rel_type'] === 'm.replace' && content['msgtype'] === 'm.notice';
  });
  const last = edits.at(-1) ?? {};
  return textOf(memberOf(memberOf(last, 'content'), 'm.new_content')['body'], '');
}
