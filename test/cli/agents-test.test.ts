import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

function cis(args: readonly string[], input = ''): { code: number | null; stdout: string; stderr: string } {
  const home = mkdtempSync(join(tmpdir(), 'cis-'));
  try {
    const { status, stdout, stderr } = spawnSync(join(root, 'bin/cis'), ['agents', 'test', ...args], {
      input,
      encoding: 'utf8',
      env: { ...process.env, CIS_HOME: home },
      cwd: home,
    });
    return { code: status, stdout, stderr };
  } finally {
    rmSync(home, { recursive: true });
  }
}

describe('cis agents test', () => {
  test('writes one verdict for each line, also for a bad one', () => {
    const lines = [
      JSON.stringify({ agent: 'claude', screen: 'Do you want to proceed?\n❯ 1. Yes\n  2. No', other: 1 }),
      'nonsense',
      '',
      '[]',
      '{"screen": 3}',
      JSON.stringify({ agent: 'nobody-knows', screen: '\u001b[1mContinue?\u001b[0m [y/N] ' }),
      JSON.stringify({ screen: 'a\u001b[2J\u001b[HPassword: ', cols: 40, rows: 10 }),
      JSON.stringify({ screen: 'ok', cols: -1, rows: 'many', title: 3 }),
    ];
    const { code, stdout } = cis(['--jsonl'], `${lines.join('\n')}\n`);
    const verdicts = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(0);
    expect(verdicts.map(({ state }) => state)).toEqual([
      'blocked',
      'unknown',
      'unknown',
      'unknown',
      'unknown',
      'blocked',
      'blocked',
      'unknown',
    ]);
    expect(verdicts[0]).toMatchObject({
      kind: 'approval',
      question: 'Do you want to proceed?',
      selected: 0,
      choices: [
        { label: 'Yes', key: '1' },
        { label: 'No', key: '2' },
      ],
    });
    expect(verdicts.slice(1, 5).every(({ error }) => typeof error === 'string')).toBe(true);
    expect(verdicts[6]).toMatchObject({ kind: 'password' });
  });

  test('says of a file what it is, what is asked and which rule saw it', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cis-'));
    const path = join(dir, 'screen.txt');
    writeFileSync(path, 'Remove 14 branches? [y/N] ');
    const { stdout } = cis([path]);
    rmSync(dir, { recursive: true });
    expect(stdout.replace(path, 'PATH')).toMatchInlineSnapshot(`
      "PATH
        blocked (approval)
        asks      Remove 14 branches? [y/N]
        choices    y  yes
                 > n  no
        rule      yes-no
        saw       Remove 14 branches? [y/N]
      "
    `);
  });

  test('says what to do without a screen and for a file that is not there', () => {
    expect(cis([])).toMatchObject({ code: 2, stderr: expect.stringContaining('no screen given') });
    expect(cis(['nowhere.txt'])).toMatchObject({ code: 4, stderr: expect.stringContaining('cannot read nowhere.txt') });
  });
});
