import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventType, RelationType } from 'matrix-js-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld } from '../support/world.ts';
import { joinAs, loggedIn, makeRoom, message, writeAsking } from './rooms.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const fast = { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' };

test(
  'a person in the room sees a run and answers by reaction, by reply and in a thread',
  { timeout: 40_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-plain');
    const person = await server.user('ada');
    const stranger = await server.user('mallory');
    const room = await makeRoom(world, 'dags', '--invite', person.userId, stranger.userId);
    const env = { ...fast, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
    await using ada = await joinAs(person, room);
    await using mallory = await joinAs(stranger, room);
    const file = writeAsking(world, [
      ['Shall I delete it?', 'Yes', 'No'],
      ['Which one?', 'red', 'green', 'blue'],
      ['And now?', 'stop', 'go'],
    ]);
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'plain', '--flush'], { env });

    const card = await ada.seen(message('▶ asking'));
    expect(card.getContent()['msgtype']).toBe('m.notice');
    const first = await ada.seen(message('Shall I delete it?'));
    expect(first.getContent()).toMatchObject({ msgtype: 'm.text', 'm.mentions': { user_ids: [person.userId] } });
    await ada.seen((event) => event.getType() === 'm.reaction' && event.getContent()['m.relates_to']?.key === '❌');

    await mallory.client.sendEvent(room, EventType.Reaction, {
      'm.relates_to': { rel_type: RelationType.Annotation, event_id: first.getId() ?? '', key: '✅' },
    });
    await ada.seen(message('answers are taken only from'));
    await ada.client.sendEvent(room, EventType.Reaction, {
      'm.relates_to': { rel_type: RelationType.Annotation, event_id: first.getId() ?? '', key: '👍' },
    });
    await ada.seen(message(`${person.userId}: Yes`));

    const second = await ada.seen(message('Which one?'));
    await ada.client.sendMessage(room, {
      msgtype: 'm.text' as never,
      body: '> <@bot> Which one?\n\ngreen',
      'm.relates_to': { 'm.in_reply_to': { event_id: second.getId() ?? '' } },
    });
    const third = await ada.seen(message('And now?'));
    await ada.client.sendMessage(room, third.getId() ?? null, { msgtype: 'm.text' as never, body: '2' });
    const ended = await run;
    expect({ code: ended.code, stderr: ended.stderr.replaceAll(/cis: waiting for the room.*\n/g, '') }).toEqual({
      code: 0,
      stderr: '',
    });
    expect(readFileSync(join(world.dir, 'chosen'), 'utf8')).toBe('0:Yes\n0:green\n0:go\n');
    await ada.seen(message('* ✅ asking · 3/3 · completed'));
    const machine = await ada.seen((event) => event.getType() === 'cis.dag.run.completed');
    expect(machine.getContent()).toMatchObject({ v: 1, run_id: 'plain', debts: 0 });
    const details = await ada.seen(message('ask1: done'));
    expect(details.getContent()['m.relates_to']).toMatchObject({ rel_type: 'm.thread', event_id: card.getId() });
  },
);
