import { expect, test } from 'vitest';
import { openWorld, type TestTerminal, type World } from '../support/world.ts';
import { writeDag } from '../executor/support.ts';

const script = (text: string): string => JSON.stringify(text);

/** A question that has just come takes no answer until the person moves to it, if only by a move that goes nowhere. */
const up = '\u001B[A';

const dag = `[dag]
name = "release"
[[dag.tasks]]
id = "deploy"
level = "confirmed"
command = "echo deployed"
[[dag.tasks]]
id = "ask"
command = ${script('printf "Go on? [y/N] "; read -r x; echo "said $x"; printf "Your name: "; read -r name; echo "hello $name"')}
`;

async function start(world: World, text = dag): Promise<void> {
  const file = writeDag(world, text);
  expect(await world.cis(['dag', 'run', file, '--run-id', 'rel', '--detach'])).toMatchObject({ code: 0 });
}

/** The terminal is as a shell left it: main screen, cursor seen, no mouse, echo and line mode. */
function expectRestored(terminal: TestTerminal): void {
  const bytes = terminal.output().toString('latin1');
  for (const mode of ['1049', '1000', '1006']) {
    expect(bytes.lastIndexOf(`\u001B[?${mode}l`), mode).toBeGreaterThan(bytes.lastIndexOf(`\u001B[?${mode}h`));
  }
  expect(bytes.lastIndexOf('\u001B[?25h')).toBeGreaterThan(bytes.lastIndexOf('\u001B[?25l'));
}

test('questions are answered and gates confirmed by keys, as they come, to the end of the run', async () => {
  await using world = openWorld();
  const terminal = world.terminal(['dashboard'], { cols: 90, rows: 24 });
  await terminal.waitForText('Nothing has run yet');
  await start(world);
  await terminal.waitForText(/›.*rel:deploy[^]*may it start\?/);
  terminal.type(`${up}y`);
  await terminal.waitForText(/✓\s+deploy/);
  await terminal.waitForText(/›.*rel:ask[^]*Go on\? \[y\/N\]/);
  terminal.type(`${up}1`);
  await terminal.waitForText(/›.*rel:ask[^]*Your name:/);
  terminal.type(`${up}t`);
  await terminal.waitForText(/ answer: _/);
  terminal.type('Zoë 日本');
  await terminal.waitForText('answer: Zoë 日本_');
  terminal.type('\r');
  await terminal.waitForText(/✓\s+rel\s.*2\/2\s+done/);
  const events = await world.cis(['dag', 'events', 'rel']);
  expect(events.stdout).toContain('(dashboard)');
  expect((await world.cis(['dag', 'output', 'rel', 'ask'])).stdout).toContain('hello Zoë 日本');
  terminal.type('q');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  expectRestored(terminal);
});

test('an output is opened, attached to, left again and closed', async () => {
  await using world = openWorld();
  await start(
    world,
    '[[dag.tasks]]\nid = "chat"\ncommand = "while read -r x; do echo got $x; done"\n[dag]\nname = "d"\n',
  );
  const terminal = world.terminal(['dashboard'], { cols: 80, rows: 20 });
  await terminal.waitForText(/●\s+chat/);
  terminal.type('\u001B[B');
  await terminal.waitForText(/›\s+●\s+chat/);
  terminal.type('\r');
  await terminal.waitForText(/rel:chat\s+live/);
  terminal.type('a');
  await terminal.waitForText('attached to rel:chat');
  terminal.type('one\r');
  await terminal.waitForText('got one');
  terminal.type('\u001dd');
  await terminal.waitForText('detached from rel:chat');
  await terminal.waitForText(/rel:chat\s+live[^]*got one/);
  expect(await world.cis(['dag', 'send', 'rel:chat', 'two', '--enter'])).toMatchObject({ code: 0 });
  await terminal.waitForText('got two');
  terminal.type('\u001B[D');
  await terminal.waitForText(/›\s+●\s+chat/);
  terminal.type('k');
  await terminal.waitForText('kill rel:chat?');
  terminal.type('y');
  await terminal.waitForText(/✗\s+chat/);
  terminal.type('q');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  expectRestored(terminal);
});

test('a click opens an output, and the picture follows the size of the terminal', async () => {
  await using world = openWorld();
  await start(world);
  const terminal = world.terminal(['dashboard'], { cols: 80, rows: 24 });
  await terminal.waitForText(/✋\s+ask/);
  for (const [cols, rows] of [
    [40, 10],
    [80, 24],
  ] as const) {
    terminal.resize(cols, rows);
    await terminal.waitFor((text) => text.split('\n').length === rows && text.endsWith('q quit'));
  }
  const row = await terminal.waitFor((text) => {
    const at = text.split('\n').findIndex((line) => /✋\s+ask/.test(line));
    return at > 0 && at;
  });
  terminal.type(`\u001B[<0;10;${row + 1}M\u001B[<0;10;${row + 1}m`);
  await terminal.waitForText(/rel:ask\s+live/);
  terminal.type('q');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
});

test.for(['SIGTERM', 'SIGHUP'] as const)('the terminal is restored after %s', async (signal) => {
  await using world = openWorld();
  const terminal = world.terminal(['dashboard']);
  await terminal.waitForText('Nothing has run yet');
  terminal.signal(signal);
  expect(await terminal.ended).toEqual({ code: signal === 'SIGTERM' ? 143 : 129, signal: null });
  expectRestored(terminal);
});

test('without a terminal, or on one that is dumb, it says so in a line', async () => {
  await using world = openWorld();
  expect(await world.cis(['dashboard'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('needs a terminal'),
  });
  const dumb = world.terminal(['dashboard'], { env: { TERM: 'dumb' } });
  expect(await dumb.ended).toEqual({ code: 2, signal: null });
  expect(dumb.output().toString()).not.toContain('\u001B');
});
