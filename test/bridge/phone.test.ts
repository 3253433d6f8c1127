import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MatrixEvent } from 'matrix-js-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openMedia } from '../../src/matrix/media.ts';
import { openHttp, type JsonObject } from '../../src/matrix/http.ts';
import type { Account } from '../../src/matrix/secrets.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { fixture } from '../support/sessions.ts';
import { openStorage } from '../../src/storage/open.ts';
import { openWorld, type World } from '../support/world.ts';
import { joinAs, loggedIn, makeRoom, message, react, reply, say, writeDag } from './rooms.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver({ max_upload_size: '20K' });
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const menu = (question: string, choices: readonly string[], out: string): string =>
  `mkdir -p ${out} && cd ${out} && node ${fixture('asks-menu.mjs')} '${JSON.stringify({ questions: [{ question, choices }] })}'`;

const task = (id: string, command: string, more = ''): string =>
  `[[dag.tasks]]\nid = "${id}"\n${more}command = '''${command}'''\n`;

test(
  'questions that come together share a message and are answered by name, by reaction, reply and terminal, each once',
  { timeout: 60_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-group');
    const person = await server.user('greta');
    const room = await makeRoom(world, 'dags', '--invite', person.userId);
    await using greta = await joinAs(person, room);
    const env = {
      CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100',
      CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId,
      CIS_DAG_HYBRID_MENTION_ON_END: 'true',
    };
    const gate = 'level = { type = "confirmed" }\n';
    const file = writeDag(
      world,
      `[dag]\nname = "many"\n${task('one', 'true', gate)}${task('two', 'true', gate)}${task('three', 'true', gate)}${task(
        'four',
        'true',
        gate,
      )}${task('five', menu('Which colour?', ['red', 'green'], 'five'), 'deps = ["one"]\n')}`,
    );
    const run = world.cis(['dag', 'run', file, '--room', room, '--run-id', 'g', '--flush'], { env });
    const asked = await greta.seen(message('4 questions wait for you'));
    expect(asked.getContent()).toMatchObject({ msgtype: 'm.text', 'm.mentions': { user_ids: [person.userId] } });
    await greta.seen((event) => event.getType() === 'm.reaction' && event.getContent()['m.relates_to']?.key === '4b');

    await reply(greta, room, asked, 'yes');
    await greta.seen(message('Not taken: this message asks 4 questions'));
    await react(greta, room, asked, '1a');
    await greta.seen(message('3 questions wait for you'));
    const five = await greta.seen(message('Which colour?'));
    await reply(greta, room, asked, '1b 2a');
    await greta.seen(message(`Too late for 1 (one). ${person.userId}: Yes`));
    expect((await world.cis(['dag', 'confirm', 'g:three'], { env })).code).toBe(0);
    await greta.seen((event) => message('1 question waits for you')(event) && message('(terminal): Yes')(event));
    await react(greta, room, asked, '👎');
    await greta.seen(message('4 questions settled'));
    await reply(greta, room, asked, '4a');
    await greta.seen(message('Too late. All of these are settled.'));
    await say(greta, room, '!cis tell');
    await greta.seen(message('You will be mentioned when g ends.'));
    await reply(greta, room, five, 'green');
    const told = await greta.seen(
      (event) => message('many · 4/5')(event) && event.getContent()['msgtype'] === 'm.text',
    );
    expect(told.getContent()['m.mentions']).toEqual({ user_ids: [person.userId] });
    expect(told.getContent()['m.relates_to']).toBe(undefined);
    expect(String(told.getContent()['body'])).toContain('❌ four: rejected by');
    await run;
    expect(readFileSync(join(world.dir, 'five/chosen'), 'utf8')).toBe('0:green\n');
  },
);

async function fileOf(account: Account, event: MatrixEvent): Promise<string> {
  const content = event.getContent() as JsonObject;
  const file = (content['file'] ?? null) as JsonObject | null;
  const mxc = String(file?.['url'] ?? content['url']);
  const media = openMedia(openHttp(account.homeserver, account.accessToken));
  return Buffer.from(must(await media.download({ mxc, file }, 1e6))).toString();
}

test.for(['plain', 'encrypted'] as const)(
  'in a room that is %s a long output is in the thread: its beginning as text, the whole as a file, masked and stripped',
  { timeout: 60_000 },
  async (name) => {
    await using world = openWorld();
    const how = name === 'plain' ? [] : ['--encrypted'];
    await loggedIn(world, server, `bot-file-${name}`);
    const person = await server.user(`fritz-${name}`);
    const room = await makeRoom(world, 'dags', ...how, '--invite', person.userId);
    await using fritz = await joinAs(person, room);
    const env = {
      CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100',
      CIS_DAG_HYBRID_BROADCAST_OUTPUT: 'true',
      MY_TOKEN: 'hush-hush-hush',
    };
    const file = writeDag(
      world,
      `[dag]\nname = "long"\n${task('short', 'echo just a line')}${task(
        'lines',
        `for i in $(seq 1 40); do printf '\\033[31mline %s\\033[0m %s\\n' $i "$MY_TOKEN"; done >"$CIS_OUTPUT"`,
        'deps = ["short"]\n',
      )}${task('huge', `yes 'äöü and so on' | head -c 30000 >"$CIS_OUTPUT"`, 'deps = ["lines"]\n')}`,
    );
    const ended = await world.cis(['dag', 'run', file, '--room', room, '--run-id', name, '--flush'], { env });
    expect(ended.code, ended.stderr).toBe(0);
    const card = await fritz.seen(message(' long · '));
    await fritz.seen(message('just a line'));
    const head = await fritz.seen(
      (event) => message('line 7 ')(event) && message('the whole follows as a file')(event),
    );
    expect(head.getContent()['body']).not.toContain('line 9');
    expect(head.getContent()['body']).not.toContain('hush');
    const whole = await fritz.seen(message('lines.txt'));
    expect(whole.getContent()).toMatchObject({
      msgtype: 'm.file',
      'm.relates_to': { rel_type: 'm.thread', event_id: card.getId() },
    });
    expect('url' in whole.getContent()).toBe(how.length === 0);
    const text = await fileOf(person, whole);
    expect(text.split('\n')).toHaveLength(40);
    expect(text).toMatch(/^line 1 \[MY_TOKEN redacted\]\n/);
    expect(text).not.toMatch(/hush|\u001b/); // oxlint-disable-line no-control-regex
    const huge = await fileOf(person, await fritz.seen(message('huge.txt')));
    expect(Buffer.byteLength(huge)).toBeLessThanOrEqual(20 * 1024);
    expect(huge).toMatch(/… cut here: \d+ bytes in all\n$/);
    expect(huge).not.toContain('\ufffd');
  },
);

test(
  'a room starts what the config lists by name, for those allowed, once, and nothing else',
  { timeout: 60_000 },
  async () => {
    await using world = openWorld();
    await loggedIn(world, server, 'bot-start');
    const person = await server.user('rosa');
    const stranger = await server.user('trudy');
    const room = await makeRoom(world, 'dags', '--invite', person.userId, stranger.userId);
    await using rosa = await joinAs(person, room);
    await using trudy = await joinAs(stranger, room);
    const dir = join(world.dir, 'project');
    mkdirSync(dir);
    const file = writeDag(world, `[dag]\nname = "nightly"\n${task('where', 'pwd >where')}`);
    writeFileSync(
      world.home.config,
      `[dag.hybrid]
accept_answers_from = ["${person.userId}"]
[dags.nightly]
file = "${file}"
directory = "${dir}"
description = "tests"
[dags.broken]
file = "/nowhere/at-all.toml"
`,
      { mode: 0o600 },
    );
    const listening = world.terminal(['matrix', 'listen', room], {
      env: { CIS_DAG_MATRIX_BROADCAST_INTERVAL_MS: '100' },
    });
    await listening.waitForText('may start nightly, broken');
    await say(trudy, room, '!cis run nightly');
    await rosa.seen(message('answers are taken only from'));
    await say(rosa, room, '!cis help');
    await rosa.seen(message('!cis run nightly: tests'));
    await say(rosa, room, `!cis run ${file}`);
    await rosa.seen(message('No DAG of that name may be started from here. There is nightly, broken.'));
    await say(rosa, room, '!cis run broken');
    await rosa.seen(message('broken was not started:'));
    await say(rosa, room, '!cis run nightly');
    const started = await rosa.seen(message('started run nightly-'));
    const run = String(started.getContent()['body']).replace('started run ', '');
    await rosa.seen(message('✅ nightly · 1/1 · completed'));
    expect(readFileSync(join(dir, 'where'), 'utf8')).toBe(`${dir}\n`);
    // As after a kill -9 between the start and the note that it was done: the message is looked at again.
    forgetVerdict(world, '!cis run nightly');
    await rosa.seen((event) => message(`started run ${run}`)(event) && event.getId() !== started.getId());
    const { stdout } = await world.cis(['dag', 'list', '--json']);
    expect((JSON.parse(stdout) as { runs: { run: string }[] }).runs.map((one) => one.run)).toEqual([run]);
    listening.type('\u0003');
    expect((await listening.ended).code).toBe(130);
  },
);

function forgetVerdict(world: World, said: string): void {
  const db = must(openStorage(world.home.database));
  const forget = `UPDATE bridge_inbox SET verdict = NULL WHERE verdict = 'command' AND json_extract(body, '$.text') = ?`;
  expect(db.prepare(forget).run(said).changes).toBe(1);
  db.close();
}
