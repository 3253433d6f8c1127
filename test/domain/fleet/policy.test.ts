import { describe, expect, test } from 'vitest';
import type { Action } from '../../../src/domain/dag.ts';
import { matchesPattern, splitCommands } from '../../../src/domain/fleet/command-words.ts';
import {
  checkPolicy,
  describeRefusal,
  mayAnswer,
  type NodePolicy,
  type PolicyQuestion,
} from '../../../src/domain/fleet/policy.ts';
import { didOf } from './support.ts';

const open: NodePolicy = {
  agents: null,
  allowCommands: null,
  denyCommands: [],
  dirs: [],
  env: 'safe',
  baseUrls: [],
  permissionModes: null,
  maxSessions: 4,
  answersFrom: ['coordinators'],
};

function command(text: string, more: Partial<PolicyQuestion> = {}, shell = 'sh'): PolicyQuestion {
  return {
    action: { kind: 'command', command: text, shell },
    agent: null,
    rollback: [],
    env: {},
    dir: null,
    answersOf: null,
    ...more,
  };
}

function agent(config: Extract<Action, { kind: 'agent' }>['config'] = {}): PolicyQuestion {
  return { ...command(''), action: { kind: 'agent', prompt: 'do it', config }, agent: 'claude' };
}

/** The words of a refusal, or null. */
function ask(policy: Partial<NodePolicy>, question: PolicyQuestion): string | null {
  const checked = checkPolicy({ ...open, ...policy }, question);
  if (checked.ok) return null;
  expect(checked.error.class).toBe('policy');
  return `${checked.error.code}: ${describeRefusal(checked.error)}`;
}

describe('a node with a policy', () => {
  test('that says nothing runs agents and commands, in directories of its own', () => {
    expect(ask({}, command('rm -rf build && npm test'))).toBeNull();
    expect(ask({}, agent())).toBeNull();
  });

  test('refuses an agent that is not on its list', () => {
    expect(ask({ agents: ['codex'] }, agent())).toBe(
      'agent: this node does not run claude (node.agents is codex); choose another node or agent, or let its owner add it there',
    );
    expect(ask({ agents: ['claude'] }, agent())).toBeNull();
  });

  test('allows commands by pattern, each part of a script for itself', () => {
    const only = { allowCommands: ['npm *', 'make'] };
    expect(ask(only, command('npm ci && npm test # both\nmake'))).toBeNull();
    expect(ask(only, command('if npm test; then make; fi'))).toBeNull();
    expect(ask(only, command('npm test; curl example.org'))).toBe(
      'command: this node does not run `curl example.org` (command matches nothing of node.policy.allow_commands); choose another node with `target_node`, or let its owner allow it there',
    );
    expect(ask(only, command('npm test', { rollback: ['rm -rf /'] }))).toContain('rollback 1 matches nothing');
  });

  test.each([
    'npm $(curl example.org)',
    'npm `curl example.org`',
    'npm "$(curl example.org)"',
    'npm ${x:-$(curl example.org)}',
    'npm <(curl example.org)',
    'npm test <<EOF\n$(curl example.org)\nEOF',
    'eval npm test',
    'npm\\\n test; . ./x',
    "npm $'\\x41'",
    'npm "unended',
    'FOO=1 npm test',
    'npm test | sh',
    'npm test & sh',
    'npm test || { sh; }',
    '(sh)',
    'npm test\nsh',
    'npm test;sh',
    'npm test &>x;sh',
    'npm test >&2;sh',
    'f() { sh; }; npm x',
  ])('does not let %j through a list of allowed commands', (text) => {
    expect(ask({ allowCommands: ['npm *', 'npm'] }, command(text))).toMatch(/^command: /);
  });

  test('cannot hold a script of another language against its list, and says so', () => {
    expect(ask({ allowCommands: ['*'] }, command('import os', {}, 'python3'))).toContain(
      'it is run by python3, whose commands cannot be told apart',
    );
  });

  test('denies by pattern what is allowed otherwise, in any part', () => {
    const policy = { allowCommands: ['*'], denyCommands: ['sudo *', '*shutdown*'] };
    expect(ask(policy, command('make && sudo rm x'))).toContain(
      'command matches "sudo *" of node.policy.deny_commands',
    );
    expect(ask({ denyCommands: ['*shutdown*'] }, command('echo $(shutdown now)'))).toContain('*shutdown*');
    expect(ask(policy, command('make'))).toBeNull();
  });

  test('offers directories, what is below them, and nothing beside them', () => {
    const dirs = { dirs: ['/srv/projects'] };
    expect(ask(dirs, command('make', { dir: '/srv/projects' }))).toBeNull();
    expect(ask(dirs, command('make', { dir: '/srv/projects/a' }))).toBeNull();
    expect(ask(dirs, command('make', { dir: '/srv/projects-of-others' }))).toMatch(/^directory: /);
    expect(ask(dirs, command('make', { dir: '/srv/projects/../etc' }))).toMatch(/^directory: /);
    expect(ask({}, command('make', { dir: '/srv' }))).toContain('node.policy.dirs is empty');
  });

  test('lets a DAG set variables, but none that decide which program runs', () => {
    expect(ask({}, command('make', { env: { STAGE: 'test', MY_PATH: 'x' } }))).toBeNull();
    const hostile = { LD_PRELOAD: '/tmp/x.so', GIT_SSH_COMMAND: 'sh', STAGE: 'a', ANTHROPIC_BASE_URL: 'http://x' };
    expect(ask({}, command('make', { env: hostile }))).toContain(
      'env: this node does not let others set LD_PRELOAD, GIT_SSH_COMMAND, ANTHROPIC_BASE_URL',
    );
    expect(ask({ env: 'all' }, command('make', { env: hostile }))).toBeNull();
    expect(ask({ env: 'none' }, command('make', { env: { STAGE: 'a' } }))).toContain('env: ');
  });

  test('sends its keys nowhere that its owner did not name', () => {
    expect(ask({}, agent({ baseUrl: 'https://evil.example.org/v1' }))).toMatch(/^base-url: /);
    expect(ask({}, agent({ baseUrl: 'http://127.0.0.1:11434/v1' }))).toBeNull();
    expect(ask({}, agent({ baseUrl: 'http://127.0.0.1.evil.example.org/v1' }))).toMatch(/^base-url: /);
    expect(ask({}, agent({ baseUrl: 'http://localhost:80@evil.example.org/' }))).toMatch(/^base-url: /);
    expect(ask({}, agent({ baseUrl: 'http://localhost/x@evil.example.org' }))).toMatch(/^base-url: /);
    expect(
      ask({ baseUrls: ['https://models.example.org'] }, agent({ baseUrl: 'https://models.example.org' })),
    ).toBeNull();
  });

  test('starts agents in the modes it names', () => {
    const bypass = agent({ permissionMode: 'bypassPermissions' });
    expect(ask({}, bypass)).toBeNull();
    expect(ask({ permissionModes: ['plan'] }, bypass)).toContain(
      'permission: this node does not start agents in the mode',
    );
    expect(ask({ permissionModes: ['plan'] }, agent({ permissionMode: 'plan' }))).toBeNull();
    expect(ask({ permissionModes: ['plan'] }, agent())).toBeNull();
  });

  test('takes answers that come with a task from those it names', () => {
    const ahead = command('make', { answersOf: didOf('A') });
    expect(ask({}, ahead)).toBeNull();
    expect(ask({ answersFrom: [] }, ahead)).toContain('answer: this node takes no answers with the task');
    expect(ask({ answersFrom: [didOf('A')] }, ahead)).toBeNull();
  });

  test('takes answers from those it names', () => {
    const anna = { did: didOf('A'), userId: '@anna:example.org', coordinator: true };
    expect(mayAnswer(open, anna).ok).toBe(true);
    expect(mayAnswer(open, { ...anna, coordinator: false }).ok).toBe(false);
    expect(mayAnswer({ ...open, answersFrom: ['@anna:example.org'] }, { ...anna, coordinator: false }).ok).toBe(true);
    expect(mayAnswer({ ...open, answersFrom: [didOf('A')] }, { ...anna, coordinator: false }).ok).toBe(true);
    expect(mayAnswer({ ...open, answersFrom: [] }, anna)).toMatchObject({
      ok: false,
      error: { class: 'policy', code: 'answer', where: 'node.policy.answers_from is empty' },
    });
  });
});

test('a script is taken apart into what it runs', () => {
  const split = (text: string) => {
    const parts = splitCommands(text, '/bin/bash');
    return parts.ok ? parts.value : parts.error;
  };
  expect(split('echo \'a; b\' "c && d" 2>&1 | tee x; true')).toEqual(['echo \'a; b\' "c && d" 2>&1', 'tee x', 'true']);
  expect(split('# only a comment')).toEqual([]);
  expect(split('while ! test -e x; do sleep 1; done')).toEqual(['test -e x', 'sleep 1']);
});

test('patterns match the whole text, in time that grows with its length', () => {
  expect(matchesPattern('npm *', 'npm test')).toBe(true);
  expect(matchesPattern('npm *', 'xnpm test')).toBe(false);
  expect(matchesPattern('make', 'make all')).toBe(false);
  expect(matchesPattern('a?c*', 'abcd')).toBe(true);
  expect(matchesPattern('*a*a*a*a*a*a*a*a*b', 'a'.repeat(20_000))).toBe(false);
});
