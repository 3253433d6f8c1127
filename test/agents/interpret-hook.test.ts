import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interpretHook } from '../../src/agents/interpret-hook.ts';
import type { HookReport } from '../../src/domain/hook.ts';

/** What the real programs gave to their hooks, recorded by the rig. */
function recorded(agent: string): (HookReport | null)[] {
  const lines = readFileSync(join(import.meta.dirname, 'payloads', `${agent}.ndjson`), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => interpretHook(agent, JSON.parse(line)));
}

const kinds = (agent: string): (string | undefined)[] => recorded(agent).map((report) => report?.kind);

describe('what a hook was told', () => {
  it('is read from Claude Code: started, at work, blocked with the command, at work, done with its message', () => {
    expect(kinds('claude')).toEqual(['started', 'working', 'blocked', 'working', 'turn-done']);
    expect(recorded('claude')[2]).toMatchObject({ block: 'approval', command: 'touch notes.txt', tool: 'Bash' });
    expect(recorded('claude')[4]).toMatchObject({ message: 'I made notes.txt, as you asked.' });
  });

  it('is read from Qwen Code, whose notification repeats the question', () => {
    expect(kinds('qwen').filter((kind) => kind !== 'working')).toEqual([
      ...['started', 'blocked', 'blocked', 'turn-done'],
      undefined, // its reminder that nobody types
    ]);
    expect(recorded('qwen').at(-2)).toMatchObject({ message: 'I made notes.txt, as you asked.' });
  });

  it("is read from opencode's events, the answer's text with the end of the turn", () => {
    const reports = recorded('opencode').filter((report) => report !== null && report.kind !== 'working');
    expect(reports).toMatchObject([
      { kind: 'started' },
      { kind: 'blocked', block: 'approval', command: 'touch notes.txt' },
      { kind: 'turn-done', message: 'I made notes.txt, as you asked.' },
    ]);
  });

  it('is read from Gemini CLI', () => {
    expect(recorded('gemini')).toMatchObject([
      { kind: 'started' },
      { kind: 'working' },
      { kind: 'blocked', command: 'touch notes.txt' },
    ]);
  });

  it('is not the turn in which Codex makes up a title: that ends no task', () => {
    expect(recorded('codex')).toMatchObject([null, { kind: 'turn-done', message: 'I made notes.txt, as you asked.' }]);
  });

  it('is a turn of Codex also when a person writes about titles', () => {
    const payload = {
      type: 'agent-turn-complete',
      'thread-id': 't',
      'input-messages': ['Please generate a concise, single-line task title'],
    };
    expect(interpretHook('codex', payload)).toMatchObject({ kind: 'turn-done' });
  });

  it.each([
    ['This request would exceed your rate limit', 'rate-limit'],
    ['401 invalid x-api-key', 'login'],
    ['connection reset', 'error'],
  ])('says of a failed turn (%s) that it is a %s', (error, block) => {
    const payload = { hook_event_name: 'StopFailure', session_id: 's', error };
    expect(interpretHook('claude', payload)).toMatchObject({ kind: 'turn-failed', block });
  });

  it('is nothing, and no exception, whatever else arrives', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('claude', 'codex', 'opencode', 'qwen', 'gemini', 'mine'),
        fc.jsonValue(),
        (agent, payload) => {
          interpretHook(agent, payload);
        },
      ),
    );
    const names = ['PermissionRequest', 'Notification', 'Stop', 'StopFailure', 'SessionEnd', 'AfterAgent'];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.dictionary(fc.string(), fc.jsonValue()), (name, rest) => {
        interpretHook('claude', { ...rest, hook_event_name: name });
        interpretHook('gemini', { ...rest, hook_event_name: name, notification_type: 'ToolPermission' });
      }),
    );
  });
});
