import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Block } from '../../src/domain/block.ts';
import { openPicture } from '../../src/domain/picture.ts';
import type { TaskId } from '../../src/domain/ids.ts';
import { renderCard, titleOf } from '../../src/bridge/card.ts';
import { renderDetails } from '../../src/bridge/details.ts';
import { groupQuestions, meaningOf, renderGroup } from '../../src/bridge/group.ts';
import { foldMachine } from '../../src/bridge/machine.ts';
import { edit, inThread, notice, plainMessage, text } from '../../src/bridge/message.ts';
import { isCommand, parseCommand } from '../../src/bridge/parse-command.ts';
import { cleanAnswer, parseReaction, parseReply } from '../../src/bridge/parse-reply.ts';
import { questionsOf, renderOutcome, renderQuestion, seedsFor, type Question } from '../../src/bridge/question.ts';
import { escapeHtml, plainText } from '../../src/bridge/text.ts';
import { checkContent } from '../../src/matrix/content.ts';
import { readMachineEvent } from '../../src/matrix/events/index.ts';
import {
  approval,
  blocked,
  completed,
  failed,
  logOf,
  running,
  settingsOf,
  starting,
  startOfTime,
  taskOf,
} from '../support/runs.ts';

// oxlint-disable-next-line no-control-regex -- that there are none is what is tested
const hasControls = (text: string): boolean => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text);
const same = (text: string): string => text;

function pictureOf(ids: readonly string[], events: Parameters<typeof logOf>[1]) {
  const fold = openPicture(settingsOf(ids.map((id) => taskOf(id))));
  for (const event of logOf('brave-otter', events)) fold.apply(event);
  return fold.picture;
}

const story = [
  [0, { kind: 'run-started' }],
  [0, starting('lint')],
  [10, running('lint')],
  [12_000, completed('lint')],
  [12_000, starting('implement')],
  [12_010, running('implement')],
  [13_000, blocked('implement', approval('Run <b>this</b>?', 'rm -rf "build"'))],
  [14_000, starting('test')],
  [15_000, failed('test')],
] as const;

test('the card of a short run has a line a task', () => {
  const card = renderCard(pictureOf(['lint', 'implement', 'test', 'docs'], story), same);
  expect(card.body).toMatchInlineSnapshot(`
    "▶ demo · 1/4 · 1 waiting for you · 1 failed
    ✅ lint · 12s
    ✋ implement · waits for you
    ❌ test · exit code 2
    ▫️ docs
    run brave-otter"
  `);
  expect(card.html).toMatchInlineSnapshot(
    `"<b>▶ demo · 1/4 · 1 waiting for you · 1 failed</b><br>✅ <code>lint</code> · 12s<br>✋ <code>implement</code> · waits for you<br>❌ <code>test</code> · exit code 2<br>▫️ <code>docs</code><br>run <code>brave-otter</code>"`,
  );
});

test('what a failure quotes is masked in the card', () => {
  const events = [
    [0, starting('a')],
    [1, { ...failed('a'), failure: { kind: 'not-started', reason: 'no such directory: /x/hush' } }],
  ] as Parameters<typeof logOf>[1];
  const card = renderCard(pictureOf(['a'], events), (text) => text.replaceAll('hush', '***'));
  expect(card.body).toContain('no such directory: /x/***');
  expect(card.html).not.toContain('hush');
});

test('the card of a long run is grouped, and names what waits, failed and runs', () => {
  const ids = Array.from({ length: 300 }, (_, index) => `t${index}`);
  const events = ids.flatMap((id, index) =>
    index < 200 ? [[index, starting(id)] as const, ...(index < 150 ? [[index + 1, completed(id)] as const] : [])] : [],
  );
  const card = renderCard(pictureOf(ids, [[0, { kind: 'run-started' }], ...events, [500, failed('t160')]]), same);
  expect(card.body).toMatchInlineSnapshot(`
    "▶ demo · 150/300 · 1 failed
    ❌ 1 failed · ⏳ 49 running · ▫️ 100 to come · ✅ 150 done
    ❌ t160 · exit code 2
    ⏳ t150
    ⏳ t151
    ⏳ t152
    ⏳ t153
    ⏳ t154
    ⏳ t155
    ⏳ t156
    ⏳ t157
    … and 41 more running
    run brave-otter"
  `);
});

function theQuestion(block: Block = approval('Run <b>this</b>?', 'rm -rf "build"')): Question {
  const [question] = questionsOf(
    pictureOf(
      ['implement'],
      [
        [0, starting('implement')],
        [1, blocked('implement', block)],
      ],
    ),
    startOfTime,
  );
  if (question === undefined) throw new Error('nothing is asked');
  return question;
}

test('a question quotes what is asked, escaped, with its choices and ways to answer', () => {
  const view = { dag: 'demo', mentions: ['@ada:example.org'], mask: same };
  const message = renderQuestion(theQuestion(), view);
  expect(message.body).toMatchInlineSnapshot(`
    "@ada:example.org
    ✋ demo · implement waits for you
    > Run <b>this</b>?
    rm -rf "build"
    1. Yes
    2. Yes, and do not ask again
    3. No (preselected)
    React with a number, or reply with 1 to 3 or the words of a choice.
    or: cis dag unblock brave-otter:implement --choose N"
  `);
  expect(message.html).toMatchInlineSnapshot(
    `"<a href="https://matrix.to/#/%40ada%3Aexample.org">@ada:example.org</a> <b>✋ demo · implement waits for you</b><blockquote>Run &lt;b&gt;this&lt;/b&gt;?</blockquote><pre><code>rm -rf &quot;build&quot;</code></pre>1. Yes<br>2. Yes, and do not ask again<br>3. No (preselected)<br>React with a number, or reply with 1 to 3 or the words of a choice.<br>or: <code>cis dag unblock brave-otter:implement --choose N</code>"`,
  );
  expect(renderOutcome(theQuestion(), { answer: 'Yes', by: '@ada:example.org' }, view).body).toMatchInlineSnapshot(`
    "✅ demo · implement
    > Run <b>this</b>?
    @ada:example.org: Yes"
  `);
  expect(seedsFor(theQuestion())).toEqual(['1️⃣', '2️⃣', '3️⃣']);
});

test('a password is neither asked for nor taken', () => {
  const question = theQuestion({
    ...approval('Password:'),
    kind: 'password',
    choices: [],
    selected: null,
    input: 'line',
  });
  expect(renderQuestion(question, { dag: 'demo', mentions: [], mask: same }).body).toContain('Secrets are not taken');
  expect(seedsFor(question)).toEqual([]);
  fc.assert(fc.property(fc.string(), (said) => !parseReply(said, question).ok));
});

test('reactions mean numbers, yes and no, with any variation selector and skin', () => {
  const question = theQuestion();
  const index = (key: string): number | null => {
    const answer = parseReaction(key, question);
    return answer?.kind === 'choose' ? answer.index : null;
  };
  expect(['1️⃣', '2⃣', '3', '4️⃣', '👍', '👍🏽', '✅', '👎', '❌', '❤️', ''].map(index)).toEqual([
    0,
    1,
    2,
    null,
    0,
    0,
    0,
    2,
    2,
    null,
    null,
  ]);
});

test('a thumb does not choose where no choice says yes', () => {
  const question = { ...theQuestion(), choices: [{ label: 'Delete everything' }, { label: 'Keep it' }] };
  expect(parseReaction('👍', question)).toBe(null);
  expect(parseReply('yes', question).ok).toBe(false);
  expect(parseReply('2', question)).toEqual({ ok: true, value: { kind: 'choose', index: 1 } });
  expect(parseReply('> <@bot:x> which?\n> really\n\nkeep', question)).toEqual({
    ok: true,
    value: { kind: 'choose', index: 1 },
  });
});

test('words of one choice choose it, but not where choices say yes or no', () => {
  const versions = { ...theQuestion(), choices: [{ label: '2.4.1 (patch)' }, { label: '2.5.0 (minor)' }] };
  expect(parseReply('Minor', versions)).toEqual({ ok: true, value: { kind: 'choose', index: 1 } });
  expect([parseReply('2 5', versions).ok, parseReply('2', versions)]).toEqual([
    false,
    { ok: true, value: { kind: 'choose', index: 1 } },
  ]);
  expect(parseReply('again', theQuestion()).ok).toBe(false);
});

test('an answer of text has no control characters, whatever was sent', () => {
  const question = theQuestion({ ...approval('Name?'), kind: 'question', choices: [], selected: null, input: 'line' });
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (said) => {
      const answer = parseReply(said, question);
      return !answer.ok || (answer.value.kind === 'text' && !hasControls(answer.value.text));
    }),
  );
  expect(cleanAnswer('a\u0003b\nc')).toBe('ab c');
});

test('text for a room has no escape sequences, controls or direction marks, and keeps to its limits', () => {
  expect(
    plainText('\u001b[31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u0007 a\u202Eb\u0000', {
      chars: 80,
      lines: 3,
    }),
  ).toBe('red link ab');
  expect(plainText('1\r\n2\n3\n4', { chars: 80, lines: 2 })).toBe('1\n2…');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, chars) => {
      const plain = plainText(text, { chars, lines: 3 });
      expect(Array.from(plain).length).toBeLessThanOrEqual(chars);
      expect(plain.split('\n').length).toBeLessThanOrEqual(3);
      expect(plain.isWellFormed()).toBe(true);
      expect(hasControls(plain)).toBe(false);
      expect(escapeHtml(plain)).not.toMatch(/[<>"]/);
    }),
  );
});

test('commands are read, and what is none is not taken for one', () => {
  expect(['!cis', '!cis help', '!CIS status', '!cis status r', '!cis logs r:t', '!cis pause'].map(parseCommand))
    .toMatchInlineSnapshot(`
    [
      {
        "ok": true,
        "value": {
          "kind": "help",
        },
      },
      {
        "ok": true,
        "value": {
          "kind": "help",
        },
      },
      {
        "ok": true,
        "value": {
          "kind": "status",
          "run": null,
        },
      },
      {
        "ok": true,
        "value": {
          "kind": "status",
          "run": "r",
        },
      },
      {
        "ok": true,
        "value": {
          "kind": "logs",
          "session": "r:t",
        },
      },
      {
        "error": "name a run: !cis pause RUN",
        "ok": false,
      },
    ]
  `);
  expect(['!cis', ' !cis runs', '!cistern', 'say !cis'].map(isCommand)).toEqual([true, true, false, false]);
  fc.assert(fc.property(fc.string(), (text) => parseCommand(`!cis ${text}`) !== undefined));
});

test('whatever is in them, messages and their edits are small enough for an event', () => {
  for (const sign of ['"', '\u{1F600}', '\u4E16', '\\']) {
    const long = sign.repeat(5000);
    const block = approval(long, long);
    const choices = Array.from({ length: 60 }, () => ({ label: long }));
    const people = Array.from({ length: 20 }, (_, index) => `@${'p'.repeat(100)}${index}:example.org`);
    const question = theQuestion({ ...block, choices });
    const view = { dag: long, mentions: people, mask: same };
    const fits = (content: Parameters<typeof checkContent>[0]): boolean => checkContent(content).ok;
    for (const group of groupQuestions([question, question, question], view)) {
      const asked = group.map((one) => ({ question: one, outcome: null }));
      const message = asked.length === 1 ? renderQuestion(question, view) : renderGroup(asked, view);
      const content = { ...text(message, people), 'cis.question': meaningOf(asked, same) };
      expect([fits(content), fits(edit(content))]).toEqual([true, true]);
    }
    const many = Array.from({ length: 200 }, (_, index) => [index, completed(`t${index}`)] as const);
    const preview = () => ({ text: long.slice(0, 600), isCut: false, isFile: false });
    const details = renderDetails(logOf('brave-otter', many), { mask: same, preview });
    expect(fits(inThread(notice(details ?? plainMessage(''))))).toBe(true);
    expect(details?.body).toMatch(/… and \d+ more: cis dag events$/);
    const ids = Array.from({ length: 20 }, (_, index) => `t${index}`);
    const blocks = ids.map((id) => [2, blocked(id, block)] as const);
    const failures = ids.map((id) => [1, { ...failed(id), failure: { kind: 'not-started', reason: long } }] as const);
    for (const events of [blocks, failures]) {
      const fold = openPicture(settingsOf(ids.map((id) => taskOf(id))));
      for (const event of logOf('brave-otter', events)) fold.apply(event);
      expect(fits(edit(notice(renderCard(fold.picture, same))))).toBe(true);
    }
  }
});

test('details tell what failed before what went well', () => {
  const many = Array.from({ length: 100 }, (_, index) => [index, completed(`t${index}`)] as const);
  const events = logOf('brave-otter', [[0, failed('bad')], ...many]);
  const body = renderDetails(events, { mask: same, preview: () => null })?.body ?? '';
  expect(body.split('\n')[0]).toBe('bad: failed: exit code 2');
  expect(body).toContain('… and 61 more');
});

test('machine events tell the last state of each task, in their schema, and a question only when it is still open', () => {
  const ids = Array.from({ length: 500 }, (_, index) => `task-with-a-long-name-${'x'.repeat(60)}-${index}`);
  const steps = ids.flatMap((id) => [[1, starting(id)] as const, [2, running(id)] as const, [3, failed(id)] as const]);
  const block = approval('May I?');
  const log = logOf('brave-otter', [
    [0, { kind: 'run-created', dag: 'demo', tasks: 500, mode: 'hybrid' }],
    [0, { kind: 'run-started' }],
    ...steps,
    [4, blocked(ids[0] ?? '', block)],
    [
      5,
      {
        kind: 'session-unblocked',
        session: block.id.split('!')[0] as never,
        block: block.id,
        answer: null,
        source: { by: 'ada', via: 'terminal' },
      },
    ],
    [6, { kind: 'run-failed', reason: 'r' }],
  ]);
  const settings = settingsOf(ids.map((id) => taskOf(id)));
  const fold = openPicture(settings);
  for (const event of log) fold.apply(event);
  const place = { room: '!r', machineRoom: '!r', people: [], dagMedia: { mxc: 'mxc://x/y', bytes: 9 } };
  const facts = {
    settings,
    picture: fold.picture,
    place,
    userId: '@c:x',
    deviceId: 'D',
    node: 'n',
    epoch: 1,
    mask: same,
    introduce: false,
  };
  const items = foldMachine(log, facts);
  expect(items.map(({ type }) => type)).toEqual([
    'cis.dag.run.created',
    'cis.dag.run.started',
    ...Array.from({ length: items.length - 3 }, () => 'cis.dag.task.status'),
    'cis.dag.run.failed',
  ]);
  const told = items.flatMap(({ type, content }) =>
    type === 'cis.dag.task.status' ? (content['tasks'] as { task_id: TaskId }[]).map((task) => task.task_id) : [],
  );
  expect(told.toSorted()).toEqual(ids.toSorted());
  for (const { type, content } of items) expect(readMachineEvent(type, content).ok).toBe(true);
  expect(titleOf(fold.picture)).toContain('❌ demo');
});

test('the card of a run of 2,000 tasks says at a glance what waits, failed and runs, and stays as small', () => {
  const ids = Array.from({ length: 2000 }, (_, index) => `unit-${index}`);
  const began = ids.slice(0, 1300).map((id, index) => [index, starting(id)] as const);
  const ran = ids.slice(0, 1290).map((id, index) => [1000 + index, running(id)] as const);
  const done = ids.slice(0, 1200).map((id, index) => [2000 + index, completed(id)] as const);
  const bad = ids.slice(1200, 1212).map((id, index) => [4000 + index, failed(id)] as const);
  const asks = ids.slice(1212, 1214).map((id, index) => [5000 + index, blocked(id, approval('May I?'))] as const);
  const card = renderCard(
    pictureOf(ids, [[0, { kind: 'run-started' }], ...began, ...ran, ...done, ...bad, ...asks]),
    same,
  );
  expect(card.body).toMatchInlineSnapshot(`
    "▶ demo · 1200/2000 · 2 waiting for you · 12 failed
    ✋ 2 waiting for you · ❌ 12 failed · ⏳ 86 running · ▫️ 700 to come · ✅ 1200 done
    ✋ unit-1212 · waits for you
    ✋ unit-1213 · waits for you
    ❌ unit-1200 · exit code 2
    ❌ unit-1201 · exit code 2
    ❌ unit-1202 · exit code 2
    ❌ unit-1203 · exit code 2
    ❌ unit-1204 · exit code 2
    ❌ unit-1205 · exit code 2
    ❌ unit-1206 · exit code 2
    ❌ unit-1207 · exit code 2
    … and 4 more failed
    ⏳ unit-1214
    ⏳ unit-1215
    ⏳ unit-1216
    ⏳ unit-1217
    ⏳ unit-1218
    ⏳ unit-1219
    ⏳ unit-1220
    ⏳ unit-1221
    … and 78 more running
    run brave-otter"
  `);
  expect(card.html.split('<br>').length).toBeLessThan(40);
  expect(Buffer.byteLength(JSON.stringify(card))).toBeLessThan(4096);
});
