import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planAgentStart, type AgentPlan, type AgentStart } from '../../src/agents/plan-start.ts';
import { hasForm, type AgentProfile } from '../../src/agents/profile.ts';
import { findProfile, knownProfiles } from '../../src/agents/profiles.ts';

const conversation = '6f1a2b3c-0000-4000-8000-000000000001';

function start(name: string, more: Partial<AgentStart> = {}): AgentStart {
  const profile = knownProfiles.find((one) => one.name === name);
  if (profile === undefined) throw new Error(name);
  const mode = 'interactive';
  const hookCommand = ['/opt/cis/bin/cis', 'hook'];
  return { profile, mode, prompt: 'Fix the bug', conversation, sessionDir: '/s', hookCommand, env: {}, ...more };
}

function plan(name: string, more: Partial<AgentStart> = {}): AgentPlan {
  const planned = planAgentStart(start(name, more));
  if (!planned.ok) throw new Error(planned.error);
  return planned.value;
}

function refused(name: string, more: Partial<AgentStart> = {}): string {
  const planned = planAgentStart(start(name, more));
  if (planned.ok) throw new Error(`planned ${JSON.stringify(planned.value)}`);
  return planned.error;
}

const formsOf = (profile: AgentProfile): ('oneshot' | 'interactive')[] =>
  (['oneshot', 'interactive'] as const).filter((mode) => hasForm(profile.forms[mode]));

describe('the start of an agent', () => {
  it('gives Claude Code its settings, the asking mode, an id of its own and the prompt as the last argument', () => {
    expect(plan('claude', { model: 'opus' })).toMatchObject({
      file: 'claude',
      args: [
        ...['--settings', '/s/settings.json', '--permission-mode', 'default', '--model', 'opus'],
        ...['--session-id', conversation, '--', 'Fix the bug'],
      ],
      conversation,
      asksNobody: null,
      hooked: true,
    });
  });

  it('gives one-shot Claude Code its prompt by standard input, from a file that nobody else reads', () => {
    const planned = plan('claude', { mode: 'oneshot' });
    expect(planned.file).toBe('/bin/sh');
    expect(planned.args.slice(0, 4)).toEqual(['-c', 'exec "$0" "$@" <"$CIS_PROMPT_FILE"', 'claude', '-p']);
    expect(planned.env['CIS_PROMPT_FILE']).toBe('/s/prompt');
    expect(planned.files).toContainEqual({ path: '/s/prompt', content: 'Fix the bug' });
  });

  it('keeps Codex from its shared background server, and lets it notify', () => {
    expect(plan('codex').args).toEqual([
      '--no-daemon',
      ...['-c', 'notify=["/opt/cis/bin/cis","hook","codex"]', '--', 'Fix the bug'],
    ]);
  });

  it('asks for the mode in which a person decides, where the program would decide alone', () => {
    expect(plan('qwen').args.join(' ')).toContain('--approval-mode default');
  });

  it('names a plugin in a directory with # in its name, as those of attempts have, by a whole address', () => {
    const { env } = plan('opencode', { sessionDir: '/s/make#1.agent' });
    expect(env['OPENCODE_CONFIG_CONTENT']).toContain('file:///s/make%231.agent/cis-hook.js');
  });

  it("adds its plugin to opencode's inline configuration without losing what is there", () => {
    const given = JSON.stringify({ theme: 'dark', plugin: ['mine'] });
    const { env } = plan('opencode', { env: { OPENCODE_CONFIG_CONTENT: given } });
    expect(JSON.parse(env['OPENCODE_CONFIG_CONTENT'] ?? '')).toEqual({
      theme: 'dark',
      plugin: ['mine', 'file:///s/cis-hook.js'],
    });
  });

  it('leaves a file of system defaults that is set already as it is, and goes by the screen then', () => {
    const variable = 'QWEN_CODE_SYSTEM_DEFAULTS_PATH';
    expect(plan('qwen', { env: { [variable]: '/etc/ours.json' } })).toMatchObject({ env: {}, hooked: false });
    expect(plan('qwen')).toMatchObject({ env: { [variable]: '/s/defaults.json' }, hooked: true });
  });

  it("carries on a conversation with the program's own words for it", () => {
    expect(plan('claude', { resume: 'abc' }).args.join(' ')).toContain('--resume abc');
    expect(plan('codex', { resume: 'abc' }).args.slice(0, 3)).toEqual(['resume', 'abc', '--no-daemon']);
    expect(plan('codex', { resume: 'abc', mode: 'oneshot' }).args.slice(3, 6)).toEqual(['exec', 'resume', 'abc']);
    expect(plan('opencode', { resume: 'abc' }).args.slice(0, 3)).toEqual(['--mini', '--session', 'abc']);
    expect(refused('aider', { resume: 'abc', mode: 'oneshot' })).toContain('reuse_agent');
  });

  it('puts a prompt that is too long for an argument into a file and points to it', () => {
    const prompt = 'ä'.repeat(70_000);
    const planned = plan('claude', { prompt });
    expect(planned.promptBy).toBe('file');
    expect(planned.args.at(-1)).toContain('/s/prompt');
    expect(planned.files).toContainEqual({ path: '/s/prompt', content: prompt });
    expect(Math.max(...planned.args.map((arg) => Buffer.byteLength(arg)))).toBeLessThan(1_000);
  });

  it('refuses a form that the program does not have, and says which to use', () => {
    expect(refused('kimi')).toContain('mode = "oneshot"');
  });

  it('refuses an unknown permission mode with the known ones', () => {
    expect(refused('claude', { permissionMode: 'loose' })).toContain('acceptEdits');
  });

  it.each(knownProfiles.map(({ name }) => name))(
    'never lets %s work unasked without the word of the config',
    (name) => {
      const profile = start(name).profile;
      for (const mode of formsOf(profile)) {
        for (const permissionMode of profile.permission.skipping) {
          expect(refused(name, { mode, permissionMode })).toContain('skip_permissions');
          expect(plan(name, { mode, permissionMode, skipPermissions: true }).asksNobody).not.toBeNull();
        }
        const flags = plan(name, { mode }).args.join(' ');
        expect(flags).not.toMatch(/dangerously|yolo|bypass|--yes|--auto\b|"never"/i);
      }
    },
  );

  it('shows a hostile prompt to no argument but the one it is, and to none when it goes by file', () => {
    const anyPrompt = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(
        fc.constantFrom(...knownProfiles),
        fc.constantFrom('oneshot', 'interactive'),
        anyPrompt,
        (profile, mode, text) => {
          const prompt = `<<${text}>>`;
          const planned = planAgentStart({ ...start(profile.name), mode, prompt });
          if (!planned.ok) return;
          const holding = planned.value.args.filter((arg) => arg.includes(prompt));
          expect(holding).toEqual(planned.value.promptBy === 'argument' ? [prompt] : []);
          expect(Object.values(planned.value.env).some((value) => value.includes(prompt))).toBe(false);
        },
      ),
    );
  });
});

describe('agents of the config', () => {
  it('are found by their names, and a mistyped one with a suggestion', () => {
    const mine = { oneshot: ['my-agent', '--print', '{{ prompt }}'] };
    const found = findProfile('mine', { mine });
    expect(found.ok && planAgentStart({ ...start('claude'), profile: found.value, mode: 'oneshot' })).toMatchObject({
      value: { file: 'my-agent', args: ['--print', 'Fix the bug'], hooked: false },
    });
    const missing = findProfile('cluade', {});
    expect(missing).toMatchObject({ ok: false, error: expect.stringContaining('did you mean "claude"?') as string });
    expect(findProfile('open_code', {})).toMatchObject({ ok: true, value: { name: 'opencode' } });
  });

  it('get the prompt in the way they name, at the end where they do not say', () => {
    const found = findProfile('mine', {
      mine: { command: ['tool', '-q'], prompt: 'file', resume: ['--more', '{{ conversation }}'] },
    });
    if (!found.ok) throw new Error(found.error);
    const planned = planAgentStart({ ...start('claude'), profile: found.value, resume: 'c1' });
    expect(planned).toMatchObject({ value: { args: ['--more', 'c1', '-q', '/s/prompt'], promptBy: 'file' } });
  });

  it.each([
    [{ oneshot: 'my-agent' }, 'list of texts'],
    [{ oneshot: ['a'], prompt: 'typed' }, '"argument", "file" or "stdin"'],
    [{}, 'needs `command`'],
    [{ oneshot: ['a'], env: { A: 1 } }, 'table of texts'],
    [{ oneshot: ['a'], final_message: { kind: 'json' } }, 'final_message'],
  ])('say what is wrong with %j', (mine, word) => {
    const found = findProfile('mine', { mine });
    expect(found).toMatchObject({ ok: false, error: expect.stringContaining(word) as string });
  });
});
