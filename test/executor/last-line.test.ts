import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { homeAt, recordingPath } from '../../src/config/home.ts';
import type { RunId, SessionId, TaskId } from '../../src/domain/ids.ts';
import { readLastLine } from '../../src/executor/last-line.ts';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'cis-last-'))));
afterEach(() => rmSync(dir, { recursive: true }));

function lastLineOf(...outputs: string[]): string | null {
  const home = homeAt(dir);
  const path = recordingPath(home, 'r' as RunId, 't' as TaskId, 1);
  mkdirSync(join(path, '..'), { recursive: true });
  const lines = outputs.map((text, index) => JSON.stringify([index, 'o', text]));
  writeFileSync(path, ['{"version":2,"width":80,"height":24}', ...lines, ''].join('\n'));
  return readLastLine(home, 'r:t' as SessionId);
}

test('the last line of a session is the last with text, without colours', () => {
  expect(lastLineOf('one\r\n', '\u001b[32mtwo\u001b[0m\r\n\r\n')).toBe('two');
  expect(lastLineOf('10 %\r', '20 %\r')).toBe('20 %');
});

test('a program that paints a screen has no last line', () => {
  expect(lastLineOf('\u001b[?1049h\u001b[1;1Hmenu', '\u001b[12;3H■■')).toBeNull();
  expect(lastLineOf('first\r\n', '\u001b[2A\u001b[2K⠙ working')).toBeNull();
});
