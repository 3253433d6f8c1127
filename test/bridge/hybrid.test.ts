import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { openWorld } from '../support/world.ts';
import { joinAs, loggedIn, makeRoom, message, react, reply, say, writeAsking, writeDag } from './rooms.ts';

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
  {
    timeout: 90_000,
  },
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

    await react(mallory, room, first, '✅');
    await ada.seen(message('answers are taken only from'));
    await react(ada, room, first, '❤️');
    await react(ada, room, first, '👍');
    await ada.seen(message(`${person.userId}: Yes`));
    await reply(ada, room, first, 'no');
    await ada.seen(message('Too late. @ada'));

    const second = await ada.seen(message('Which one?'));
    await reply(ada, room, second, 'purple');
    await ada.seen(message('Not taken: "purple" is none of the choices'));
    await reply(ada, room, second, '> <@bot> Which one?\n\ngreen');
    const third = await ada.seen(message('And now?'));
    await say(ada, room, '2', third.getId() ?? null);
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

test(
  'gates are asked and voted on, commands are carried out, and a terminal that answers first wins',
  {
    timeout: 90_000,
  },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-gates');
    const person = await server.user('gina');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    const env = { ...fast, CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId };
    await using gina = await joinAs(person, room);
    const file = writeDag(
      world,
      `[dag]
name = "gated"
[[dag.tasks]]
id = "deploy"
level = { type = "confirmed" }
command = "echo the output; sleep 1000"
[[dag.tasks]]
id = "publish"
level = { type = "arbitrated", stakeholders = ["gina", "hugo"] }
command = "true"
[[dag.tasks]]
id = "late"
level = { type = "confirmed" }
command = "true"
`,
    );
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'g', '--flush'], { env });
    const asked = await gina.seen(message('3 questions wait for you'));

    expect((await world.cis(['dag', 'confirm', 'g:late'], { env })).code).toBe(0);
    await gina.seen(message('(terminal): Yes'));
    await react(gina, room, asked, '3b');
    await gina.seen(message('Too late for 3 (late).'));

    await react(gina, room, asked, '2a');
    await gina.seen(
      (event) => message('2 (publish)')(event) && event.getContent()['m.relates_to']?.['m.in_reply_to'] !== undefined,
    );
    expect((await world.cis(['dag', 'vote', 'g:publish', 'yes', '--as', 'hugo'], { env })).code).toBe(0);
    await gina.seen(message('1 question waits for you'));

    await react(gina, room, asked, '👍');
    await gina.seen(message('⏳ deploy'));
    await say(gina, room, '!cis status');
    await gina.seen(
      (event) => message('⏳ deploy')(event) && event.getContent()['m.relates_to']?.['m.in_reply_to'] !== undefined,
    );
    await say(gina, room, '!cis logs g:deploy');
    await gina.seen(message('broadcast_output is off'));
    await say(gina, room, '!cis pause g');
    await gina.seen(message('⏸ gated'));
    await say(gina, room, '!cis resume g');
    await say(gina, room, '!cis kill g:deploy');
    await gina.seen(message('killed g:deploy'));
    const ended = await run;
    expect(ended.code).toBe(1);
    await gina.seen(message('* ❌ gated · 2/3 · 1 failed · failed in'));
  },
);

test('a run that goes on in a room shows how it stands there, and leaves it again', { timeout: 60_000 }, async () => {
  await using world = openWorld();
  await loggedIn(world, server, 'bot-mode');
  const person = await server.user('iris');
  const room = await makeRoom(world, 'dags', '--invite', person.userId);
  await using iris = await joinAs(person, room);
  const file = writeAsking(world, [['Shall I delete it?', 'Yes', 'No']]);
  const run = world.cis(['dag', 'run', file, '--run-id', 'm', '--local'], { env: fast });
  expect((await world.cis(['dag', 'wait', 'm', '--blocked'], { env: fast })).code).toBeGreaterThanOrEqual(0);
  expect(await world.cis(['dag', 'mode', 'm', 'hybrid', '--room', room], { env: fast })).toMatchObject({ code: 0 });
  await iris.seen(message('asking · 0/1'));
  const created = await iris.seen((event) => event.getType() === 'cis.dag.run.created');
  expect(created.getContent()).toMatchObject({ run_id: 'm', dag_name: 'asking', tasks: 1 });
  await iris.seen(message('Shall I delete it?'));
  expect(await world.cis(['dag', 'mode', 'm', 'local'], { env: fast })).toMatchObject({ code: 0 });
  await iris.seen(message('No longer asked.'));
  expect((await world.cis(['dag', 'unblock', 'm:ask1', '1'], { env: fast })).code).toBe(0);
  expect((await run).code).toBe(0);
});
