import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeScreen } from '../../src/monitor/judge.ts';
import { readInput, type GivenScreen } from '../../src/monitor/read-input.ts';
import { judgePoints, loadRecordings, type Half } from '../screens/corpus.ts';
import { judgeSketch, loadSketches } from '../screens/sketches.ts';

const recordings = loadRecordings();
const judged = recordings.flatMap((recording) => judgePoints(recording).map((point) => ({ ...point, recording })));

/**
 * Points whose label and screen disagree: two agents that still try again by themselves are labelled as waiting for a log-in, and one
 * screen has gone on to the empty input line by the middle of its point. They count as misses in `npm run eval:monitor`.
 */
const disputed = new Set(['agents/codex-auth-error', 'agents/qwen-auth-error', 'agents/opencode-reject-by-arrows']);

const sketches = loadSketches().map((sketch) => ({ sketch, point: sketch.point, judgement: judgeSketch(sketch) }));

function sharesOf(half: Half, kinds?: readonly string[]): { found: number; falseAlarms: number } {
  const points = [
    ...judged.filter(({ recording }) => recording.half === half),
    ...sketches.filter(({ sketch }) => sketch.half === half),
  ].filter(({ point }) => kinds === undefined || kinds.includes(point.kind ?? ''));
  const asking = points.filter(({ point }) => point.state === 'blocked');
  const calm = points.filter(({ point }) => point.state !== 'blocked');
  const blocked = (list: typeof points): number => list.filter(({ judgement }) => judgement.state === 'blocked').length;
  return { found: blocked(asking) / asking.length, falseAlarms: blocked(calm) / calm.length };
}

/** Programs that wait for a person but show nothing that tells so from others. */
const untold = new Set(['k-cmd-htop-kill', 't-cmd-w3m', 't-cmd-testdisk', 't-cmd-game']);

describe('screens written down by hand', () => {
  test('those that rules were written from are judged right', () => {
    const wrong = sketches
      .filter(({ sketch }) => sketch.half === 'written' && !untold.has(sketch.name))
      .filter(({ point, judgement }) => (judgement.state === 'blocked') !== (point.state === 'blocked'))
      .map(({ sketch, judgement }) => `${sketch.name}: ${judgement.state} (${judgement.rule})`);
    expect(wrong).toEqual([]);
  });

  test('have names of their own, and enough of each sort is kept aside', () => {
    const names = sketches.map(({ sketch }) => sketch.name);
    expect(new Set(names).size).toBe(names.length);
    const kept = sketches.filter(({ sketch }) => sketch.half === 'kept').map(({ point }) => point);
    expect(kept.filter(({ state }) => state === 'blocked').length).toBeGreaterThan(80);
    expect(kept.filter(({ state }) => state !== 'blocked').length).toBeGreaterThan(50);
    expect(kept.filter(({ kind }) => kind === 'login' || kind === 'rate-limit').length).toBeGreaterThan(25);
  });

  test('are judged the same however the text was cut out and whatever the agent is called', () => {
    const otherNames: Readonly<Record<string, readonly string[]>> = {
      claude: ['Claude Code', 'claude_code', 'CLAUDE', '/usr/local/bin/claude', 'claude.exe'],
      codex: ['Codex', 'openai-codex', 'codex-cli'],
      gemini: ['Gemini CLI', 'gemini_cli'],
      qwen: ['Qwen Code', 'qwen-code'],
      copilot: ['GitHub Copilot', 'copilot-cli'],
      cursor: ['cursor-agent', 'Cursor CLI'],
    };
    for (const { sketch, judgement } of sketches.filter((_, index) => index % 3 === 0)) {
      const { given, name } = sketch;
      const { screen } = given;
      const rows = screen.split('\n');
      const variants: GivenScreen[] = [
        { ...given, screen: screen.replaceAll('\n', '\r\n') },
        { ...given, screen: `${screen}\n\n\n\n` },
        { ...given, screen: rows.map((row) => row.trimEnd()).join('\n') },
        { ...given, rows: 60 },
        { ...given, screen: `\u001b[2m\u001b[0m${screen}` },
        ...(otherNames[given.agent ?? ''] ?? []).map((agent) => ({ ...given, agent })),
      ];
      for (const variant of variants) {
        const again = judgeScreen(readInput(variant), 0);
        expect([again.state, again.rule], `${name} as ${JSON.stringify({ ...variant, screen: '' })}`).toEqual([
          judgement.state,
          judgement.rule,
        ]);
      }
    }
  });
});

describe('recordings of real programs', () => {
  test('every point of the half that rules were written from is judged right', () => {
    const wrong = judged
      .filter(({ recording }) => recording.half === 'written' && !disputed.has(recording.name))
      .filter(({ point, judgement }) => (judgement.state === 'blocked') !== (point.state === 'blocked'))
      .map(
        ({ recording, point, judgement }) =>
          `${recording.name} at ${point.fromMs} ms: ${judgement.state} (${judgement.rule})`,
      );
    expect(wrong).toEqual([]);
  });

  test('in the half kept aside at least nine of ten questions are found and at most one calm screen of a hundred alarms', () => {
    const { found, falseAlarms } = sharesOf('kept');
    expect(found).toBeGreaterThanOrEqual(0.9);
    expect(falseAlarms).toBeLessThanOrEqual(0.01);
    expect(sharesOf('kept', ['login', 'rate-limit']).found).toBeGreaterThanOrEqual(0.8);
  });

  test('what real agents show is asked with its choices, and the preselected one is known', () => {
    const approvals = judged.filter(
      ({ recording, point }) => recording.name.startsWith('agents/') && point.kind === 'approval',
    );
    expect(approvals.length).toBeGreaterThan(10);
    for (const { judgement, point, recording } of approvals) {
      if (judgement.state !== 'blocked') throw new Error(`${recording.name} at ${point.fromMs} was not found`);
      expect(judgement.choices.length, recording.name).toBeGreaterThan(1);
      if (point.selected !== undefined && judgement.selected !== null)
        expect(judgement.selected, recording.name).toBe(point.selected);
    }
  });
});

describe('whatever the screen', () => {
  const glyphs = fc.constantFrom(
    '❯',
    '›',
    '>',
    '│',
    '┃',
    '─',
    '╭',
    '╰',
    '⎿',
    '(',
    ')',
    '[',
    ']',
    'y',
    'N',
    '/',
    '?',
    ':',
    ' ',
    '  ',
    '1.',
    '2.',
    'Yes',
    'No',
    '\t',
    'é',
    '漢',
    '😀',
    'esc to cancel',
    'Do you want to',
  );
  const row = fc.array(glyphs, { maxLength: 30 }).map((parts) => parts.join(''));

  test('judging never throws', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 60 }),
        fc.constantFrom('claude', 'codex', 'gemini', 'other'),
        (lines, agent) => {
          expect(() => judgeScreen({ lines, agent }, 0)).not.toThrow();
        },
      ),
    );
  });

  // Steps of a pattern cannot be counted from outside, so time is compared with itself: twice the row may cost some times more, not
  // the square or worse, and beyond the width that is read it costs nothing.
  test('rows made to be slow cost no more than wide ones of plain text', () => {
    const hostile = [
      '(((((((((',
      '[y/[y/[y/',
      'a? a? a? ',
      '       ',
      '1. 1. 1. ',
      '│││││││',
      'enter enter enter ',
      '/////////',
      '(a(b(c(d',
      'limit limit limit reached ',
      'password password ',
      'to to to to ',
    ];
    const plain = Array.from({ length: 60 }, () => 'lorem ipsum dolor sit amet '.repeat(15));
    const cost = (lines: readonly string[]): number => {
      const runs = Array.from({ length: 5 }, () => {
        const before = process.cpuUsage();
        judgeScreen({ lines, agent: 'claude' }, 0);
        const { user, system } = process.cpuUsage(before);
        return user + system;
      });
      return Math.min(...runs);
    };
    cost(plain);
    const base = cost(plain);
    for (const piece of hostile) {
      expect(cost(Array.from({ length: 60 }, () => piece.repeat(200))), piece).toBeLessThan(
        Math.max(base * 40, 60_000),
      );
    }
  });

  const dialogs = judged.filter(
    ({ recording, point, judgement }) =>
      recording.name.startsWith('agents/') && point.state === 'blocked' && judgement.state === 'blocked',
  );

  test('what scrolled by above a dialog does not change what it is judged to be', () => {
    const told = fc.array(
      fc.constantFrom(
        'ok 14 - parses',
        'Compiling app v0.1.0',
        '  at test.js:14:3',
        'The parser is fine.',
        '',
        'npm warn old package',
        '+ const a = 1;',
        '$ ls -la',
      ),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...dialogs), told, ({ input, judgement }, above) => {
        const moved = input.highlights?.map((span) => ({ ...span, row: span.row + above.length + 1 }));
        const cursor =
          input.cursor === undefined ? {} : { cursor: { ...input.cursor, row: input.cursor.row + above.length + 1 } };
        const grey = input.muted?.map((row) => row + above.length + 1);
        const { cursor: _, highlights: __, muted: ___, ...rest } = input;
        const again = judgeScreen(
          {
            ...rest,
            ...cursor,
            ...(moved === undefined ? {} : { highlights: moved }),
            ...(grey === undefined ? {} : { muted: grey }),
            lines: [...above, '', ...input.lines],
          },
          0,
        );
        expect(again).toMatchObject({ state: 'blocked', rule: judgement.rule });
        if (judgement.state === 'blocked' && again.state === 'blocked')
          expect(again.choices).toEqual(judgement.choices);
      }),
    );
  });

  test('a redraw with another clock, spinner or counter keeps the fingerprint', () => {
    const screen = (clock: string, spinner: string): string[] => [
      `${spinner} Waiting for user confirmation… (${clock})`,
      '',
      'Do you want to run this command? (2s)',
      '',
      '  $ npm test',
      '',
      '❯ 1. Yes',
      '  2. No',
      '',
      `Esc to cancel · ${clock}`,
    ];
    const a = judgeScreen({ lines: screen('3s', '⠋'), agent: 'qwen' }, 0);
    const b = judgeScreen({ lines: screen('14s', '⠙'), agent: 'qwen' }, 0);
    expect(a).toMatchObject({ state: 'blocked', kind: 'approval', command: 'npm test', selected: 0 });
    expect(a.state === 'blocked' && b.state === 'blocked' && a.fingerprint === b.fingerprint).toBe(true);
  });

  test('the same words about another command are another question', () => {
    const ask = (command: string): string[] => [
      'Bash command',
      '',
      `  ${command}`,
      '',
      'Do you want to proceed?',
      '❯ 1. Yes',
      '  2. No',
    ];
    const a = judgeScreen({ lines: ask('ls'), agent: 'claude' }, 0);
    const b = judgeScreen({ lines: ask('rm -rf /'), agent: 'claude' }, 0);
    expect(a.state === 'blocked' && b.state === 'blocked' && a.fingerprint !== b.fingerprint).toBe(true);
  });
});
