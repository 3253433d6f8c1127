import type { Config } from '../config/config.ts';
import { findHome, type Home } from '../config/home.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { GivenValues, Redactor } from '../domain/redact.ts';
import type { Db } from '../storage/open.ts';
import { CommandError } from './exit.ts';

/** Where this user's cis lives, by the environment. */
export function home(): Home {
  return findHome(process.env);
}

/** Reads the config with what the flags gave, by place (`dag.max_workers`); mistakes end the command with exit code 2. */
export async function readConfig(flags: Readonly<Record<string, unknown>> = {}): Promise<LoadedConfig> {
  const { loadConfig } = await import('../config/load.ts');
  const loaded = await loadConfig({ env: process.env, cwd: process.cwd(), home: home(), flags });
  if (loaded.ok) return loaded.value;
  const { describeConfigProblem } = await import('../config/config.ts');
  const [first = '', ...rest] = loaded.error.map(describeConfigProblem);
  throw new CommandError('usage', first, rest);
}

/** Opens the database for reading; null when nothing ever ran in this home. */
export async function openDatabase(): Promise<Db | null> {
  const { openStorageToRead, describeStorageError } = await import('../storage/open.ts');
  const opened = openStorageToRead(home().database);
  if (opened.ok) return opened.value;
  if (opened.error.kind === 'missing') return null;
  throw new CommandError('failed', describeStorageError(opened.error));
}

/** Like `openDatabase`, for commands that name something which must be there. */
export async function needDatabase(): Promise<Db> {
  const db = await openDatabase();
  if (db === null)
    throw new CommandError('not-found', 'nothing has run yet', ['start with `cis init`, then `cis dag run dag.toml`']);
  return db;
}

/** What masks secret values of this process's environment, and those that the runs were given, wherever text is shown. */
export async function openScreenRedactor(
  config: Config,
  ...runs: readonly (GivenValues | null)[]
): Promise<(text: string) => string> {
  const redactor = await openProcessRedactor(config, ...runs);
  return (text) => redactor.mask(text);
}

/** The same, also for text that comes in pieces. */
export async function openProcessRedactor(config: Config, ...runs: readonly (GivenValues | null)[]): Promise<Redactor> {
  const { findGivenSecrets, findSecrets, openRedactor } = await import('../domain/redact.ts');
  const { redact } = config.general;
  const given = runs.flatMap((run) => (run === null ? [] : findGivenSecrets(run, redact)));
  return openRedactor([...findSecrets(process.env, redact), ...given]);
}

/** The same for whoever shows the runs of a home, those that come later included. */
export async function openHomeRedactor(config: Config, db: Db): Promise<(text: string) => string> {
  const { findGivenSecrets, findSecrets, openRedactor } = await import('../domain/redact.ts');
  const { listRuns, listUnfinishedRuns, readNewestRun, readRunSettings } = await import('../storage/read.ts');
  const { redact } = config.general;
  const secrets = findSecrets(process.env, redact);
  const known = new Set<string>();
  let newest: number | null = null;
  let redactor = openRedactor(secrets);
  return (text) => {
    const now = readNewestRun(db);
    if (now !== newest) {
      newest = now;
      for (const { run } of [...listUnfinishedRuns(db), ...listRuns(db, 100)]) {
        const settings = known.has(run) ? null : readRunSettings(db, run);
        known.add(run);
        if (settings !== null) secrets.push(...findGivenSecrets(settings, redact));
      }
      redactor = openRedactor(secrets);
    }
    return redactor.mask(text);
  };
}

export function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Ends on Ctrl-C and SIGTERM, so that what follows something can clean up; the exit code is then 130 or 143. */
export function untilInterrupted(): AbortSignal {
  const abort = new AbortController();
  const end = (code: number) => () => {
    process.exitCode = code;
    abort.abort();
  };
  process.once('SIGINT', end(130));
  process.once('SIGTERM', end(143));
  return abort.signal;
}
