import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AgentMode } from '../domain/dag.ts';
import { opencodePlugin } from './opencode-plugin.ts';
import type { AgentStart, PlannedFile } from './plan-start.ts';

export interface HookPlan {
  /** `{{ hooks }}` of a form. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly PlannedFile[];
}

/** Seconds that a program waits for `cis hook`, which itself gives up after two. */
const timeoutSecs = 5;

const nothing: HookPlan = { args: [], env: {}, files: [] };

/** Returns how this session, and no other, is made to report; the user's own files are only read by the program itself. */
export function planHooks(start: AgentStart): HookPlan {
  const { profile, sessionDir, hookCommand, env } = start;
  const argv = [...hookCommand, profile.name];
  const { hooks } = profile;
  switch (hooks.kind) {
    case 'none':
      return nothing;
    case 'claude-settings':
      return claudeSettings(join(sessionDir, 'settings.json'), argv, eventsOf(hooks.events, start.mode));
    case 'codex-notify':
      return { ...nothing, args: ['-c', `notify=${JSON.stringify(argv)}`] };
    case 'opencode-plugin':
      return opencodeConfig(start, argv);
    case 'defaults-file':
      return defaultsFile(
        join(sessionDir, 'defaults.json'),
        hooks.variable,
        argv,
        eventsOf(hooks.events, start.mode),
        env,
      );
  }
}

/** The form that ends by itself refuses what would need a person, but calls the hook of the question all the same. */
const questions: readonly string[] = ['PermissionRequest', 'Notification'];

function eventsOf(events: readonly string[], mode: AgentMode): readonly string[] {
  return mode === 'interactive' ? events : events.filter((event) => !questions.includes(event));
}

function claudeSettings(path: string, argv: readonly string[], events: readonly string[]): HookPlan {
  const content = JSON.stringify({ hooks: hookTable(argv, events, timeoutSecs) });
  return { args: ['--settings', path], env: {}, files: [{ path, content }] };
}

/** A file of system defaults that somebody else set stays as it is; then only the screen tells. */
function defaultsFile(
  path: string,
  variable: string,
  argv: readonly string[],
  events: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): HookPlan {
  if (env[variable] !== undefined) return nothing;
  const content = JSON.stringify({ hooks: hookTable(argv, events, timeoutSecs * 1_000) });
  return { args: [], env: { [variable]: path }, files: [{ path, content }] };
}

function hookTable(argv: readonly string[], events: readonly string[], timeout: number): Record<string, unknown> {
  const hook = { type: 'command', command: argv.map(quoted).join(' '), timeout };
  return Object.fromEntries(events.map((event) => [event, [{ hooks: [hook] }]]));
}

function opencodeConfig({ sessionDir, mode, env }: AgentStart, argv: readonly string[]): HookPlan {
  const path = join(sessionDir, 'cis-hook.js');
  const config = parseObject(env['OPENCODE_CONFIG_CONTENT']);
  const plugins = Array.isArray(config['plugin']) ? (config['plugin'] as unknown[]) : [];
  const content = JSON.stringify({ ...config, plugin: [...plugins, pathToFileURL(path).href] });
  return {
    args: [],
    env: { OPENCODE_CONFIG_CONTENT: content },
    files: [{ path, content: opencodePlugin(argv, mode) }],
  };
}

function parseObject(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Quotes a word for a POSIX shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
