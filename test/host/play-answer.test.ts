import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { playAnswer, type AnswerPorts, type Seen } from '../../src/host/play-answer.ts';

interface Question {
  readonly choices: readonly string[];
  readonly selected: number;
}

type Move = 'next' | 'vanish' | 'reset' | 'clear' | 'spin';

interface Script {
  readonly questions: readonly Question[];
  readonly wanted: number;
  /** What the program does by itself, and when. */
  readonly moves: readonly { readonly at: number; readonly move: Move }[];
  /** It draws what a key did so much later. */
  readonly lagMs: number;
  /** Keys, by number, that it does not get. */
  readonly lost: readonly number[];
}

/** A menu program under a clock of its own. */
function openProgram(script: Script) {
  let now = 0;
  let at = 0;
  let selected = script.questions[0]?.selected ?? 0;
  let shown = selected;
  let isClear = false;
  let spins = 0;
  let keys = 0;
  let later: { at: number; run: () => void }[] = script.moves.map(({ at: when, move }) => ({
    at: when,
    run: () => go(move),
  }));
  const chosen: { question: number; choice: number }[] = [];

  function enterQuestion(number: number): void {
    at = number;
    selected = shown = script.questions[at]?.selected ?? 0;
    isClear = false;
  }

  function go(move: Move): void {
    if (move === 'next') enterQuestion(at + 1);
    else if (move === 'vanish') at = script.questions.length;
    else if (move === 'reset') enterQuestion(at);
    else if (move === 'spin') spins += 1;
    else {
      isClear = true;
      later.push({ at: now + 40, run: () => void (isClear = false) });
    }
  }

  function press(key: string): void {
    keys += 1;
    const question = script.questions[at];
    if (script.lost.includes(keys) || question === undefined) return;
    const count = question.choices.length;
    if (key === '\r') {
      chosen.push({ question: at, choice: selected });
      return enterQuestion(at + 1);
    }
    selected = (selected + (key === '\u001b[A' ? count - 1 : 1)) % count;
    later.push({ at: now + script.lagMs, run: () => void (shown = selected) });
  }

  function look(): Seen {
    const question = script.questions[at];
    const lines = [
      `${'⠋⠙'[spins % 2]} question ${at}`,
      ...(question?.choices ?? []).map((label, index) => `${index === shown ? '❯' : ' '} ${label}`),
    ];
    const choices = (question?.choices ?? []).map((label) => ({ label }));
    const asked = {
      kind: 'approval',
      question: `question ${at}`,
      choices,
      selected: shown,
      fingerprint: `f${at}`,
      input: 'menu',
    } as const;
    return {
      asked: isClear || question === undefined ? null : asked,
      lines: isClear ? [] : lines,
      cursor: { row: 0, col: 0 },
    };
  }

  const ports: AnswerPorts = {
    look,
    // oxlint-disable-next-line no-control-regex -- keys
    write: (text) => text.match(/\u001b\[.|[^]/g)?.forEach(press),
    confirms: () => {},
    pause(ms) {
      now += ms;
      const due = later.filter((one) => one.at <= now).toSorted((a, b) => a.at - b.at);
      later = later.filter((one) => one.at > now);
      for (const one of due) one.run();
      return Promise.resolve();
    },
    now: () => now,
    reader: () => Promise.resolve(null),
    restMs: 0,
    isDisturbed: () => false,
  };
  return { ports, chosen };
}

const question = fc
  .record({ choices: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 2 }), pick: fc.nat(5) })
  .map(({ choices, pick }): Question => ({ choices, selected: pick % choices.length }));

const script = fc.record({
  questions: fc.array(question, { minLength: 1, maxLength: 4 }),
  wanted: fc.nat(5),
  moves: fc.array(
    fc.record({ at: fc.nat(1_500), move: fc.constantFrom<Move>('next', 'vanish', 'reset', 'clear', 'spin') }),
    { maxLength: 5 },
  ),
  lagMs: fc.nat(400),
  lost: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
});

const answering = { axis: 'vertical', digits: false } as const;

test('whatever the screen does meanwhile, no choice is made that was not asked for', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (given) => {
      const wanted = given.wanted % (given.questions[0]?.choices.length ?? 1);
      const { ports, chosen } = openProgram(given);
      const played = await playAnswer(ports, 'f0', { kind: 'choose', index: wanted }, answering);
      expect(chosen.filter((one) => one.question !== 0 || one.choice !== wanted)).toEqual([]);
      expect(chosen.length).toBeLessThanOrEqual(1);
      if (chosen.length === 1) expect(played.ok).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

test('a menu that stays as it is gets the choice, whichever is preselected', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (given) => {
      const wanted = given.wanted % (given.questions[0]?.choices.length ?? 1);
      const { ports, chosen } = openProgram({
        ...given,
        moves: given.moves.filter(({ move }) => move === 'spin'),
        lost: [],
      });
      expect(await playAnswer(ports, 'f0', { kind: 'choose', index: wanted }, answering)).toEqual({
        ok: true,
        value: undefined,
      });
      expect(chosen).toEqual([{ question: 0, choice: wanted }]);
    }),
    { numRuns: 500 },
  );
});

/** An input line with a status below it that changes by itself; the program loses some of its Enter keys, and then may ask something else. */
function openLine(script: {
  readonly lost: number;
  readonly busyMs: number;
  readonly nextAsks?: boolean;
  /** It draws a cursor of its own: the terminal's stands elsewhere. */
  readonly drawsCursor?: boolean;
}) {
  let now = 0;
  let typed = '';
  let enters = 0;
  const sent: string[] = [];
  const look = (): Seen => {
    const isNext = script.nextAsks === true && sent.length > 0;
    const asked = { kind: 'question', question: '', choices: [], selected: null, input: 'line' } as const;
    return {
      asked: { ...asked, fingerprint: isNext ? 'next' : 'f' },
      lines: [
        ...sent.map((line) => `> ${line}`),
        '',
        '────',
        `> ${typed}`,
        '────',
        now < script.busyMs ? `work ${'.'.repeat((now / 100) % 5)}` : 'ready',
      ],
      cursor: script.drawsCursor === true ? { row: 0, col: 0 } : { row: sent.length + 2, col: 2 + typed.length },
    };
  };
  const ports: AnswerPorts = {
    look,
    write: (text) => {
      if (text !== '\r') return void (typed += text);
      enters += 1;
      if (enters <= script.lost) return;
      sent.push(typed);
      typed = '';
    },
    confirms: () => {},
    pause: (ms) => Promise.resolve(void (now += ms)),
    now: () => now,
    reader: () => Promise.resolve({ waits: true, isDrained: true, echo: null }),
    restMs: 300,
    isDisturbed: () => false,
  };
  return { ports, sent, enters: () => enters };
}

test('words that still stand in the input line were not sent, whatever else moved: Enter is given once more, and then told', async () => {
  const words = { kind: 'text', text: 'go on' } as const;
  for (const [script, ok, enters] of [
    [{ lost: 0, busyMs: 0 }, true, 1],
    [{ lost: 0, busyMs: 60_000 }, true, 1],
    [{ lost: 1, busyMs: 60_000 }, true, 2],
    [{ lost: 9, busyMs: 60_000 }, false, 2],
    [{ lost: 0, busyMs: 60_000, nextAsks: true }, true, 1],
    [{ lost: 1, busyMs: 0, nextAsks: true }, true, 2],
    [{ lost: 0, busyMs: 60_000, drawsCursor: true }, true, 1],
    [{ lost: 1, busyMs: 60_000, drawsCursor: true }, true, 2],
    [{ lost: 9, busyMs: 60_000, drawsCursor: true }, false, 2],
  ] as const) {
    const line = openLine(script);
    expect((await playAnswer(line.ports, 'f', words, answering)).ok, JSON.stringify(script)).toBe(ok);
    expect(line.sent).toEqual(ok ? ['go on'] : []);
    expect(line.enters()).toBe(enters);
  }
});

test('words that a program is still painting are sent all the same', async () => {
  const line = openLine({ lost: 0, busyMs: 0 });
  const ports = { ...line.ports, reader: () => Promise.resolve({ waits: false, isDrained: false, echo: null }) };
  expect((await playAnswer(ports, 'f', { kind: 'text', text: 'go on' }, answering)).ok).toBe(true);
  expect(line.sent).toEqual(['go on']);
});

test('an input line is typed into when its screen has come to rest', async () => {
  const line = openLine({ lost: 0, busyMs: 1_000 });
  let typedAt = 0;
  const ports = { ...line.ports, write: (text: string) => ((typedAt ||= line.ports.now()), line.ports.write(text)) };
  await playAnswer(ports, 'f', { kind: 'text', text: 'go on' }, answering);
  expect(typedAt).toBeGreaterThanOrEqual(1_300);
});
