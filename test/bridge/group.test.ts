import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openPicture } from '../../src/domain/picture.ts';
import { groupQuestions, meaningOf, renderGroup, seedsForGroup, type Asked } from '../../src/bridge/group.ts';
import { edit, text as message } from '../../src/bridge/message.ts';
import { parseGroupReaction, parseGroupReply, type Part } from '../../src/bridge/parse-group.ts';
import { questionsOf, type Question } from '../../src/bridge/question.ts';
import { checkContent } from '../../src/matrix/content.ts';
import { approval, blocked, logOf, settingsOf, starting, startOfTime, taskOf } from '../support/runs.ts';
import type { Block } from '../../src/domain/block.ts';

const same = (text: string): string => text;
const view = { dag: 'demo', mentions: ['@ada:example.org'], mask: same };

function ask(blocks: Readonly<Record<string, Block>>): Question[] {
  const ids = Object.keys(blocks);
  const fold = openPicture(settingsOf(ids.map((id) => taskOf(id))));
  const steps = ids.flatMap((id) => {
    const block = blocks[id];
    return block === undefined ? [] : [[0, starting(id)] as const, [1, blocked(id, block)] as const];
  });
  for (const event of logOf('brave-otter', steps)) fold.apply(event);
  return questionsOf(fold.picture, startOfTime);
}

const text: Block = { ...approval('Your name?'), kind: 'question', choices: [], selected: null, input: 'line' };
const asked: readonly Asked[] = ask({
  lint: approval('May I run <it>?', 'npm test'),
  name: text,
  key: { ...approval('Password:'), kind: 'password', choices: [], selected: null, input: 'line' },
  last: approval('And this?'),
}).map((question) => ({ question, outcome: null }));

const without = (position: number, outcome = '@ada: Yes'): Asked[] =>
  asked.map((one, index) => (index === position ? { ...one, outcome } : one));

test('several questions share a message, in which each choice has a name of its own', () => {
  expect(renderGroup(asked, view).body).toMatchInlineSnapshot(`
    "@ada:example.org
    ✋ demo · 4 questions wait for you
    1. lint
    > May I run <it>?
    npm test
    1a. Yes
    1b. Yes, and do not ask again
    1c. No (preselected)
    or: cis dag unblock brave-otter:lint --choose N
    2. name
    > Your name?
    reply with 2 and the answer
    or: cis dag unblock brave-otter:name
    3. key
    > Password:
    Secrets are not taken from a room: answer in a terminal.
    or: cis dag attach brave-otter:key
    4. last
    > And this?
    4a. Yes
    4b. Yes, and do not ask again
    4c. No (preselected)
    or: cis dag unblock brave-otter:last --choose N
    Reply with 1a, or several at once: 1a 4a; or with the number of a question and the words of a choice."
  `);
  expect(renderGroup(without(0), view).html).toMatchInlineSnapshot(
    `"<a href="https://matrix.to/#/%40ada%3Aexample.org">@ada:example.org</a> <b>✋ demo · 3 questions wait for you</b><br><b>1. </b><code>lint</code><blockquote>May I run &lt;it&gt;?</blockquote>@ada: Yes<br><b>2. </b><code>name</code><blockquote>Your name?</blockquote>reply with 2 and the answer<br>or: <code>cis dag unblock brave-otter:name</code><br><b>3. </b><code>key</code><blockquote>Password:</blockquote>Secrets are not taken from a room: answer in a terminal.<br>or: <code>cis dag attach brave-otter:key</code><br><b>4. </b><code>last</code><blockquote>And this?</blockquote>4a. Yes<br>4b. Yes, and do not ask again<br>4c. No (preselected)<br>or: <code>cis dag unblock brave-otter:last --choose N</code><br>Reply with 4a; or with the number of a question and the words of a choice."`,
  );
  const settled = asked.map(({ question }) => ({ question, outcome: 'No longer asked.' }));
  expect(renderGroup(settled, view).body.split('\n')[0]).toBe('✅ demo · 4 questions settled');
});

test('reactions are seeded by the names of the choices, and nothing for what takes no choice', () => {
  expect(seedsForGroup(asked.map(({ question }) => question))).toEqual(['1a', '1b', '1c', '4a', '4b', '4c']);
});

test('an answer names question and choice; what is unclear is refused and says how', () => {
  const read = (said: string, all = asked): string => {
    const parsed = parseGroupReply(said, all);
    return parsed.ok ? parsed.value.map(shown).join(' ') : parsed.error;
  };
  const shown = ({ position, answer }: Part): string =>
    `${position + 1}=${answer.kind === 'choose' ? answer.index : JSON.stringify(answer)}`;
  const onlyLast = asked.map((one, index) => (index === 3 ? one : { ...one, outcome: 'done' }));
  expect([
    read('4b'),
    read('1a 4C'),
    read('1a, 4b;'),
    read('> <@bot> all that\n\n4a'),
    read('4 yes'),
    read('4 b'),
    read('1: no'),
    read('2 Zoë Smith'),
    read('3 hunter2'),
    read('yes'),
    read('2'),
    read('5a'),
    read('2a'),
    read('1a 1b'),
    read(''),
    read('no', onlyLast),
    read('2', onlyLast),
  ]).toMatchInlineSnapshot(`
    [
      "4=1",
      "1=0 4=2",
      "1=0 4=1",
      "4=0",
      "4=0",
      "4=1",
      "1=2",
      "2={"kind":"text","text":"Zoë Smith"}",
      "secrets are not taken from a room: answer in a terminal",
      "this message asks 4 questions: say which and what, as in 1a",
      "this message asks 4 questions: say which and what, as in 1a",
      "there is no 5a in that message",
      "there is no 2a in that message",
      "two answers to one question",
      "this message asks 4 questions: say which and what, as in 1a",
      "4=2",
      "this message asks 4 questions: say which and what, as in 1a",
    ]
  `);
});

test('a reaction is taken by its name, and a bare sign when one question is open', () => {
  const read = (key: string, all = asked) =>
    parseGroupReaction(key, all)?.map(({ position, answer }) => [
      position,
      answer.kind === 'choose' ? answer.index : -1,
    ]);
  const onlyLast = asked.map((one, index) => (index === 3 ? one : { ...one, outcome: 'done' }));
  expect([read('4b'), read('1A'), read('9a'), read('👍'), read('2️⃣'), read('❤️')]).toEqual([
    [[3, 1]],
    [[0, 0]],
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect([read('👎', onlyLast), read('2️⃣', onlyLast)]).toEqual([[[3, 2]], undefined]);
});

test('nothing that is said to a shared message answers a question of secrets, and nothing throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }).map((words) => `3 ${words}`),
      ),
      (said) => {
        const parsed = parseGroupReply(said, asked);
        return !parsed.ok || parsed.value.every(({ position }) => position !== 2);
      },
    ),
  );
});

test('a message takes as many questions as fit an event, and its meaning fits with it', () => {
  const many = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`t${index}`, approval(`${'ä'.repeat(400)} <${index}>`, 'x'.repeat(900))]),
  );
  const groups = groupQuestions(ask(many), view);
  expect(groups.flat().map(({ task }) => task)).toEqual(Object.keys(many));
  expect(groups.length).toBeGreaterThan(3);
  expect(Math.max(...groups.map((group) => group.length))).toBeGreaterThan(1);
  for (const group of groups) {
    const all = group.map((question) => ({ question, outcome: null }));
    const content = { ...message(renderGroup(all, view), view.mentions), 'cis.question': meaningOf(all, same) };
    expect(checkContent(content)).toMatchObject({ ok: true });
    expect(checkContent(edit(content))).toMatchObject({ ok: true });
  }
});
