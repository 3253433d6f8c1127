import { expect, test } from 'vitest';
import { startAsking, startMenu } from '../support/blocks.ts';
import { openWorld } from '../support/world.ts';

const deletion = {
  question: 'Do you want to proceed?',
  choices: ['Delete everything', 'Keep it', 'Ask me later'],
  selected: 0,
};

test('unblock takes a label, a number, and refuses what is no choice', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion, deletion]);
  await session.block(1);
  expect(await world.cis(['dag', 'unblock', 'r:a', 'sure'])).toMatchObject({
    code: 2,
    stderr:
      'cis: "sure" is none of the choices, or fits several of them\n  1  Delete everything\n  2  Keep it\n  3  Ask me later\n',
  });
  expect(await world.cis(['dag', 'unblock', 'r:a', '--choose', '4'])).toMatchObject({ code: 2 });
  expect(await world.cis(['dag', 'unblock', 'r:a', '2', '--text', 'x'])).toMatchObject({ code: 2 });
  const listed = JSON.parse((await world.cis(['dag', 'sessions', '--json'])).stdout) as { sessions: unknown[] };
  expect(listed.sessions[0]).toMatchObject({
    id: 'r:a',
    state: 'blocked',
    block: { id: 'r:a!1', question: deletion.question, selected: 0, choices: [{ label: 'Delete everything' }, {}, {}] },
  });
  expect(await world.cis(['dag', 'unblock', 'r', 'keep'])).toMatchObject({
    code: 0,
    stdout: 'answered r:a: 2 Keep it\n',
  });
  await session.block(2);
  const json = await world.cis(['dag', 'unblock', 'r:a', '3', '--json']);
  expect(JSON.parse(json.stdout)).toEqual({ id: 'r:a', block: 'r:a!2', answer: { kind: 'choose', index: 2 } });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Keep it', '1:Ask me later']);
  expect(await world.cis(['dag', 'unblock', 'r:a', '1'])).toMatchObject({ code: 6 });
});

test('without an answer a person at a terminal is shown the question and picks', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion]);
  await session.block(1);
  expect(await world.cis(['dag', 'unblock', 'r:a'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('it asks: Do you want to proceed?') as string,
  });
  const terminal = world.terminal(['dag', 'unblock', 'r:a']);
  await terminal.waitForText('› 1  Delete everything');
  await terminal.waitForText('Your choice:');
  terminal.type('9\r');
  await terminal.waitForText('"9" is none of the choices');
  terminal.type('2\r');
  expect(await terminal.ended).toEqual({ code: 0, signal: null });
  expect(terminal.screen()).toContain('answered r:a: 2 Keep it');
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Keep it']);
});

test('a session that asks nothing is not answered', async () => {
  await using world = openWorld();
  using _session = await startAsking(world, 'sh', ['-c', 'echo at work; sleep 300']);
  expect(await world.cis(['dag', 'unblock', 'r:a', 'yes'])).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('r:a does not wait for an answer') as string,
  });
});

test('a password is not taken from the command line, but from stdin, and shown nowhere', async () => {
  await using world = openWorld();
  const script =
    'printf "Password: "; stty -echo; read -r x; stty echo; echo; test "$x" = open-sesame && echo in >chosen';
  using session = await startAsking(world, 'sh', ['-c', script]);
  await session.block(1);
  expect(await world.cis(['dag', 'unblock', 'r:a', 'open-sesame'])).toMatchObject({ code: 2 });
  expect(await world.cis(['dag', 'unblock', 'r:a', '--text', '-'], { stdin: 'open-sesame\n' })).toMatchObject({
    code: 0,
    stdout: 'answered r:a: done\n',
  });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['in']);
});

test('why names the verdict, its rule, what was seen and what was before', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion]);
  const block = await session.block(1);
  const { code, stdout } = await world.cis(['dag', 'why', 'r:a']);
  expect(code).toBe(0);
  expect(stdout).toContain(`r:a is blocked, by ${block.rule}`);
  expect(stdout).toContain('│ ❯ 1. Delete everything');
  expect(stdout).toMatch(/kernel {3}\S+ is polling/);
  const why = JSON.parse((await world.cis(['dag', 'why', 'r:a', '--json'])).stdout) as object;
  expect(why).toMatchObject({ id: 'r:a', verdict: { kind: 'blocked' }, judged: { state: 'blocked' }, hook: null });
  await session.answer(block, { kind: 'choose', index: 1 });
  await session.run.endOf('r:a');
  expect((await world.cis(['dag', 'why', 'r:a'])).stdout).toContain(
    'r:a has ended: exited with 0\nr:a!1 asked: Do you',
  );
});
