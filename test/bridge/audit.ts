import { expect } from 'vitest';
import { renderCard } from '../../src/bridge/card.ts';
import type { RunId } from '../../src/domain/ids.ts';
import { isObject, openHttp, textOf, type JsonObject } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import type { Account } from '../../src/matrix/secrets.ts';
import { openStorageToRead } from '../../src/storage/open.ts';
import { readPicture } from '../../src/storage/read-picture.ts';
import { readTasks } from '../../src/storage/read.ts';
import { watchCommits } from '../../src/storage/tail.ts';
import { must } from '../support/homeserver.ts';
import type { World } from '../support/world.ts';

/** Everything in a room, oldest first, as the server of one who is in it gives it. */
export async function readRoom(account: Account, room: string): Promise<readonly JsonObject[]> {
  const rooms = openRooms(openHttp(account.homeserver, account.accessToken));
  const events: JsonObject[] = [];
  for (let from: string | null | undefined; from !== null;) {
    const page = must(await rooms.messages(room, { direction: 'forward', ...(from === undefined ? {} : { from }) }));
    events.push(...page.events);
    from = page.end;
  }
  return events;
}

export const typeOf = (event: JsonObject): string => textOf(event['type'], '');
export const contentOf = (event: JsonObject): JsonObject => memberOf(event, 'content');

/** Every transaction of ours is in the room once. */
export function expectOnce(events: readonly JsonObject[]): void {
  const ids = events.flatMap((event) => contentOf(event)['cis.txn'] ?? []);
  expect(ids.length).toBe(new Set(ids).size);
}

/** Resolves once the database says so. */
export function until(world: World, query: string): Promise<void> {
  const db = must(openStorageToRead(world.home.database));
  return new Promise((resolve) => {
    const look = (): void => {
      if (db.prepare(query).get() === undefined) return;
      watching[Symbol.dispose]();
      db.close();
      resolve();
    };
    const watching = watchCommits(db, world.home.database, look);
    look();
  });
}

/** Resolves once the bridge has told its rooms everything. */
export function untilAllTold(world: World): Promise<void> {
  return until(
    world,
    `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM bridge_runs WHERE closed = 0) AND EXISTS (SELECT 1 FROM bridge_runs)
     AND NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'waiting')`,
  );
}

export interface Audit {
  /** Events of ours in the room. */
  readonly events: number;
  readonly tasks: number;
  readonly parked: number;
}

/**
 * The room's final state is the log's: every event that the outbox sent is there once, in the order of its lane, nothing waits; the
 * machine events make every task what the log makes it; the card's last edit says how the run stands; the run ends once.
 */
export function expectSame(world: World, run: string, room: string, all: readonly JsonObject[]): Audit {
  const db = must(openStorageToRead(world.home.database));
  const rows = db.prepare('SELECT * FROM outbox WHERE room = ? ORDER BY id').all(room) as Row[];
  const place = new Map(all.map((event, index) => [textOf(contentOf(event)['cis.txn'], ''), index]));
  const tasks = readTasks(db, run as RunId);
  const picture = readPicture(db, run as RunId);
  db.close();
  expect(rows.filter(({ state }) => state === 'waiting')).toEqual([]);
  expectOnce(all);
  const sent = rows.filter(({ state }) => state === 'sent');
  expect(sent.filter(({ txn_id }) => !place.has(txn_id))).toEqual([]);
  expect(all.filter((event) => 'cis.txn' in contentOf(event)).length).toBe(sent.length);
  for (const lane of new Set(sent.map((row) => row.lane))) {
    const order = sent.filter((row) => row.lane === lane).map(({ txn_id }) => place.get(txn_id) ?? -1);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  }
  const ours = all.filter((event) => contentOf(event)['run_id'] === run);
  expect(statesTold(ours)).toEqual(Object.fromEntries(tasks.map(({ task, state }) => [task, state.kind])));
  if (picture === null) throw new Error(`no run ${run}`);
  expect(lastCard(all, run)).toBe(renderCard(picture, (text) => text).body);
  expect(ours.map(typeOf).filter((type) => type === `cis.dag.run.${picture.state}`)).toHaveLength(1);
  return { events: sent.length, tasks: tasks.length, parked: rows.length - sent.length };
}

interface Row {
  readonly txn_id: string;
  readonly lane: string;
  readonly state: string;
}

function statesTold(events: readonly JsonObject[]): Record<string, string> {
  const states: Record<string, string> = {};
  for (const event of events) {
    const { tasks } = contentOf(event);
    if (typeOf(event) !== 'cis.dag.task.status' || !Array.isArray(tasks)) continue;
    for (const told of tasks.filter(isObject)) states[textOf(told['task_id'], '')] = textOf(told['status'], '');
  }
  return states;
}

/** What the run's card says after its last edit. */
export function lastCard(events: readonly JsonObject[], run: string): string {
  const cards = events.flatMap((event) => {
    const content = contentOf(event);
    const isEdit = memberOf(content, 'm.relates_to')['rel_type'] === 'm.replace';
    const body = textOf((isEdit ? memberOf(content, 'm.new_content') : content)['body'], '');
    return content['msgtype'] === 'm.notice' && body.endsWith(`\nrun ${run}`) ? [body] : [];
  });
  return cards.at(-1) ?? '';
}

function memberOf(value: JsonObject, name: string): JsonObject {
  const member = value[name];
  return isObject(member) ? member : {};
}
