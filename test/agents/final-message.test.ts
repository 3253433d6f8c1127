import { expect, it } from 'vitest';
import { readFinalMessage } from '../../src/agents/final-message.ts';

const none = { hook: null, file: null, output: () => '' };

it('takes what the hook said, or the file, and nothing that is empty', () => {
  expect(readFinalMessage({ kind: 'hook' }, { ...none, hook: 'done' })).toBe('done');
  expect(readFinalMessage({ kind: 'hook' }, { ...none, hook: ' \n' })).toBeNull();
  expect(readFinalMessage({ kind: 'file' }, { ...none, file: 'from the file', hook: 'from the hook' })).toBe(
    'from the file',
  );
  expect(readFinalMessage({ kind: 'file' }, { ...none, hook: 'from the hook' })).toBe('from the hook');
  expect(readFinalMessage({ kind: 'screen' }, { ...none, hook: 'x' })).toBeNull();
});

it('finds the text in JSON and in JSON lines, warnings before it or not', () => {
  const json = (output: string): string | null =>
    readFinalMessage({ kind: 'json', path: ['result'] }, { ...none, output: () => output });
  expect(json('{"type":"result","result":"done"}\r\n')).toBe('done');
  expect(json('warning: old config\n{\n "result": "done"\n}\n')).toBe('done');
  expect(json('no json')).toBeNull();
  const lines =
    '{"type":"text","part":{"text":"first"}}\nnoise\n{"type":"text","part":{"text":"last"}}\n{"type":"end"}\n';
  const how = { kind: 'json-lines', where: 'text', path: ['part', 'text'] } as const;
  expect(readFinalMessage(how, { ...none, output: () => lines })).toBe('last');
});
