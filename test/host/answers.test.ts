import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { recordingPath } from '../../src/config/home.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { sessionA, startAsking, startMenu } from '../support/blocks.ts';
import { ask } from '../support/sessions.ts';
import { openWorld } from '../support/world.ts';

const trust = {
  question: 'Do you trust the files in this folder?',
  choices: ['Yes, I trust it', 'No, exit'],
  selected: 1,
};
const deletion = {
  question: 'Do you want to proceed?',
  choices: ['Delete everything', 'Keep it', 'Ask me later'],
  selected: 0,
};

test('the choice that was asked for is taken, not the preselected one', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [trust, deletion]);
  const first = await session.block(1);
  expect(first).toMatchObject({
    id: 'r:a!1',
    kind: 'trust',
    selected: 1,
    choices: [{ label: 'Yes, I trust it' }, { label: 'No, exit' }],
  });
  expect(await session.answer(first, { kind: 'choose', index: 0 })).toMatchObject({ ok: true });
  const second = await session.block(2);
  const list = await ask(session.host, { kind: 'list', run: null });
  expect(list.kind === 'sessions' && list.sessions[0]?.state).toMatchObject({
    kind: 'blocked',
    block: { id: 'r:a!2' },
  });
  expect(await session.answer(second, { kind: 'choose', index: 1 })).toMatchObject({ ok: true });
  expect(await session.run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
  expect(session.chosen()).toEqual(['0:Yes, I trust it', '1:Keep it']);
  const said = session.run.entries.flatMap(({ event }) => (event.kind === 'unblocked' ? [event] : []));
  expect(said.map(({ block, answer, source }) => [block, answer, source.by])).toEqual([
    ['r:a!1', { kind: 'choose', index: 0 }, 'ada'],
    ['r:a!2', { kind: 'choose', index: 1 }, 'ada'],
  ]);
  const recorded = readFileSync(recordingPath(world.home, 'r' as RunId, 'a' as TaskId, 1), 'utf8');
  expect(recorded).toMatch(/^\[[\d.]+, "m", "cis: blocked \(trust-dialog\)"\]$/m);
});

test('the same question twice is two blocks, a redraw is the same one', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion, deletion]);
  const first = await session.block(1);
  process.kill(session.pid, 'SIGUSR1');
  expect(await session.answer(first, { kind: 'choose', index: 2 })).toMatchObject({ ok: true });
  const second = await session.block(2);
  expect(second.fingerprint).toBe(first.fingerprint);
  expect(await session.answer(first, { kind: 'choose', index: 2 }, 'bob')).toMatchObject({
    ok: false,
    error: { kind: 'already-answered', source: { by: 'ada' } },
  });
  expect(await session.answer(second, { kind: 'choose', index: 1 })).toMatchObject({ ok: true });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Ask me later', '1:Keep it']);
  const ids = session.run.entries.flatMap(({ event }) => (event.kind === 'blocked' ? [event.block.id] : []));
  expect(ids).toEqual(['r:a!1', 'r:a!2']);
});

test('two people answer at once: one wins, the other is told who', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion]);
  const block = await session.block(1);
  const answers = await Promise.all([
    session.answer(block, { kind: 'choose', index: 1 }, 'ada'),
    session.answer(block, { kind: 'choose', index: 2 }, 'bob'),
  ]);
  expect(answers).toMatchObject([
    { ok: true },
    { ok: false, error: { kind: 'already-answered', source: { by: 'ada' } } },
  ]);
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Keep it']);
});

test('a question that went on by itself is gone, and nothing is pressed', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [trust, deletion]);
  const first = await session.block(1);
  process.kill(session.pid, 'SIGUSR2');
  const second = await session.block(2);
  expect(await session.answer(first, { kind: 'choose', index: 0 })).toMatchObject({
    ok: false,
    error: { kind: 'block-gone' },
  });
  const unblocked = session.run.entries.find(({ event }) => event.kind === 'unblocked')?.event;
  expect(unblocked).toMatchObject({ block: 'r:a!1', answer: null, source: { via: 'screen' } });
  expect(await session.answer(second, { kind: 'choose', index: 7 })).toMatchObject({
    ok: false,
    error: { kind: 'answer-not-taken', detail: expect.stringContaining('there is no choice 8') as string },
  });
  expect(session.chosen()).toEqual([]);
});

test('a program that does not take keys is answered once, and it is said', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion], { deaf: true });
  const block = await session.block(1);
  expect(await session.answer(block, { kind: 'choose', index: 1 })).toMatchObject({
    ok: false,
    error: { kind: 'answer-not-taken', detail: expect.stringContaining('could not be selected') as string },
  });
  const list = await ask(session.host, { kind: 'list', run: null });
  expect(list.kind === 'sessions' && list.sessions[0]?.state).toMatchObject({
    kind: 'blocked',
    block: { id: 'r:a!1' },
  });
  expect(session.chosen()).toEqual([]);
});

test('while a person types in an attached terminal nobody else answers', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [deletion]);
  const block = await session.block(1);
  const terminal = world.terminal(['dag', 'attach', 'r:a']);
  await terminal.waitForText('Ctrl-] d detaches');
  await terminal.waitForText('❯ 1. Delete everything');
  terminal.type('\u001b[B');
  await terminal.waitForText('❯ 2. Keep it');
  expect(await session.answer(block, { kind: 'choose', index: 2 })).toMatchObject({
    ok: false,
    error: { kind: 'person-typing' },
  });
  terminal.type('\r');
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Keep it']);
  const unblocked = session.run.entries.find(({ event }) => event.kind === 'unblocked')?.event;
  expect(unblocked).toMatchObject({
    answer: null,
    source: { via: 'terminal', by: expect.stringContaining('attach') as string },
  });
});

test('a line is typed, seen and sent; a choice of it by its key', async () => {
  await using world = openWorld();
  const script = 'printf "Project name: "; read -r x; printf "Overwrite it? [y/N] "; read -r y; echo "$x:$y" >chosen';
  using session = await startAsking(world, 'sh', ['-c', script]);
  const name = await session.block(1);
  expect(name).toMatchObject({ kind: 'question', input: 'line' });
  expect(await session.answer(name, { kind: 'text', text: 'kestrel' })).toMatchObject({ ok: true });
  const sure = await session.block(2);
  expect(sure).toMatchObject({ kind: 'approval', choices: [{ label: 'yes' }, { label: 'no' }], selected: 1 });
  expect(await session.answer(sure, { kind: 'choose', index: 0 })).toMatchObject({ ok: true });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['kestrel:y']);
});

test('a question that takes one key gets no Enter, which would answer the next one', async () => {
  await using world = openWorld();
  const script =
    'read -n1 -p "Delete it? [y/N] " x; sleep 1; read -p "Delete the backup too? [Y/n] " y; echo "$x:$y" >chosen';
  using session = await startAsking(world, 'bash', ['-c', script]);
  const first = await session.block(1);
  expect(await session.answer(first, { kind: 'choose', index: 0 })).toMatchObject({ ok: true });
  const second = await session.block(2);
  expect(second.question).toContain('backup');
  expect(await session.answer(second, { kind: 'choose', index: 1 })).toMatchObject({ ok: true });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['y:n']);
});

test('a password is taken and never written down', async () => {
  await using world = openWorld();
  const script =
    'printf "Password: "; stty -echo; read -r x; stty echo; echo; test "$x" = open-sesame && echo in >chosen';
  using session = await startAsking(world, 'sh', ['-c', script]);
  const block = await session.block(1);
  expect(block.kind).toBe('password');
  expect(await session.answer(block, { kind: 'text', text: 'open-sesame' })).toMatchObject({ ok: true });
  expect(await session.run.endOf('r:a')).toEqual({ kind: 'exited', code: 0 });
  expect(session.chosen()).toEqual(['in']);
  expect(JSON.stringify(session.run.entries)).not.toContain('open-sesame');
});

test('a silent program that reads its terminal is blocked, one that sleeps is not', async () => {
  await using world = openWorld();
  using session = await startAsking(world, 'sh', ['-c', 'echo starting; read -r x; echo "$x" >chosen; sleep 300']);
  const block = await session.block(1);
  expect(block).toMatchObject({ kind: 'question', rule: 'kernel-reading', question: 'starting' });
  expect(await session.answer(block, { kind: 'text', text: 'go on' })).toMatchObject({ ok: true });
  const why = await ask(session.host, { kind: 'why', session: sessionA });
  expect(why).toMatchObject({
    kind: 'why',
    why: { block: null, history: expect.arrayContaining([expect.objectContaining({ kind: 'blocked' })]) as unknown },
  });
  expect(session.chosen()).toEqual(['go on']);
});

test('rules answer what they name, as often as they may, and never trust', async () => {
  await using world = openWorld();
  const answers = [
    { name: 'keep', match: 'proceed', choose: 'keep it', maxTimes: 1 },
    { name: 'trusting', match: '.', choose: 'Yes, I trust it', maxTimes: 9 },
  ];
  using session = await startMenu(world, [deletion, deletion, trust], {}, { answers });
  await session.run.waitFor(({ event }) => event.kind === 'unblocked' && event.source.by === 'keep');
  const again = await session.block(2);
  expect(await session.answer(again, { kind: 'choose', index: 2 })).toMatchObject({ ok: true });
  const trusts = await session.block(3);
  expect(trusts.kind).toBe('trust');
  expect(await session.answer(trusts, { kind: 'choose', index: 1 })).toMatchObject({ ok: true });
  await session.run.endOf('r:a');
  expect(session.chosen()).toEqual(['0:Keep it', '1:Ask me later', '2:No, exit']);
});

test('a hook is known by its token; it blocks at once and says that the turn is done', async () => {
  await using world = openWorld();
  const agent = { name: 'claude', screen: 'claude', hookToken: 'a-token-of-this-session' };
  const script = 'test -n "$CIS_HOOK_SOCKET" && echo "$CIS_HOOK_TOKEN" >chosen; echo at work; sleep 300';
  using session = await startAsking(world, 'sh', ['-c', script], { agent });
  const report = {
    kind: 'blocked',
    thread: 't',
    block: 'approval',
    question: 'Allow Bash?',
    command: 'make',
    tool: 'Bash',
  } as const;
  expect(await session.host.request({ kind: 'hook', token: 'another', report })).toMatchObject({ ok: false });
  await ask(session.host, { kind: 'hook', token: agent.hookToken, report });
  expect(await session.block(1)).toMatchObject({ kind: 'approval', command: 'make', rule: 'hook-approval' });
  await ask(session.host, { kind: 'hook', token: agent.hookToken, report: { kind: 'working', thread: 't' } });
  await session.run.waitFor(({ event }) => event.kind === 'unblocked');
  await ask(session.host, {
    kind: 'hook',
    token: agent.hookToken,
    report: { kind: 'turn-done', thread: 't', message: 'made' },
  });
  const done = await session.run.waitFor(({ event }) => event.kind === 'turn-done');
  expect(done.event).toEqual({ kind: 'turn-done', message: 'made', rule: 'hook-turn-done', thread: 't' });
  expect(session.chosen()).toEqual([agent.hookToken]);
});

test('a question that changes while the answer is on its way is not answered', async () => {
  await using world = openWorld();
  using session = await startMenu(world, [trust, deletion, deletion], { fickle: true });
  const block = await session.block(1);
  expect(await session.answer(block, { kind: 'choose', index: 0 })).toMatchObject({
    ok: false,
    error: { kind: 'block-gone' },
  });
  expect((await session.block(2)).question).toBe(deletion.question);
  expect(session.chosen()).toEqual([]);
});

test('a rule of the user’s own is asked first', async () => {
  await using world = openWorld();
  const rules = [
    { id: 'my-gate', state: 'blocked', kind: 'approval', region: 'last-3', any: ['awaiting the word of'] },
  ];
  const agent = { name: 'mine', screen: 'mine', rules };
  using session = await startAsking(world, 'sh', ['-c', 'echo "awaiting the word of Ada"; sleep 300'], { agent });
  expect(await session.block(1)).toMatchObject({ kind: 'approval', rule: 'my-gate' });
});

test('the built hook program reports from inside its session', async () => {
  await using world = openWorld();
  const hook = fileURLToPath(new URL('../../dist/hook-main.js', import.meta.url));
  const payload = {
    hook_event_name: 'PermissionRequest',
    session_id: 't',
    tool_name: 'Bash',
    tool_input: { command: 'make' },
  };
  const script = `printf '%s' '${JSON.stringify(payload)}' | node '${hook}' claude; echo reported; sleep 300`;
  const agent = { name: 'claude', screen: 'claude', hookToken: 'a-token' };
  using session = await startAsking(world, 'sh', ['-c', script], { agent });
  expect(await session.block(1)).toMatchObject({ kind: 'approval', question: 'Allow Bash?', command: 'make' });
});
