import type { Command } from 'commander';
import type { Amendment } from '../../domain/event.ts';
import { CommandError } from '../exit.ts';
import { openTask, wish, type WishOptions } from './wish.ts';

interface Options extends WishOptions {
  readonly command?: string;
  readonly prompt?: string;
  readonly env?: readonly string[];
  readonly timeout?: string;
}

export function command(into: Command): Command {
  return into
    .argument('<run:task>', 'a task that has not started; each part may be the beginning of it')
    .option('--command <text>', 'what it runs')
    .option('--prompt <text>', 'what its agent is told')
    .option(
      '--env <name=value>',
      'a variable of its environment; may be given again',
      (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
    )
    .option('--timeout <seconds>', 'how long an attempt may take, or `none`')
    .option('--json', 'print JSON')
    .action(async (text: string, options: Options) => {
      const changes = changesOf(options);
      if (changes.length === 0)
        throw new CommandError('usage', 'nothing to amend: give --command, --prompt, --env or --timeout');
      const { db, run, task } = await openTask(text);
      for (const change of changes) await wish(db, run, { kind: 'amend', task, change }, options.json === true);
    });
}

function changesOf({ command, prompt, env = [], timeout }: Options): Amendment[] {
  return [
    ...(command === undefined ? [] : [{ kind: 'command', text: command } as const]),
    ...(prompt === undefined ? [] : [{ kind: 'prompt', text: prompt } as const]),
    ...env.map(toVariable),
    ...(timeout === undefined ? [] : [{ kind: 'timeout', timeoutMs: toTimeout(timeout) } as const]),
  ];
}

function toVariable(text: string): Amendment {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
  if (match === null) throw new CommandError('usage', `--env "${text}" must be NAME=VALUE`);
  return { kind: 'env', name: match[1] ?? '', value: match[2] ?? '' };
}

function toTimeout(text: string): number | null {
  if (text === 'none') return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  throw new CommandError('usage', `--timeout "${text}" must be a number of seconds, or none`);
}
