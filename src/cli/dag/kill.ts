import { constants } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import { findHome } from '../../config/home.ts';
import { CommandError } from '../exit.ts';
import { readLivingSessions, type FoundSession } from '../resolve.ts';
import { askHost, describeEnd, findSession, livingOf } from './session.ts';

interface KillFlags {
  readonly all?: boolean;
  readonly signal?: string;
  readonly grace: number;
  readonly json?: boolean;
}

export function command(into: Command): Command {
  return into
    .argument('[session]', 'RUN:TASK, or the beginning of one')
    .option('--all', 'every living session')
    .option('-s, --signal <name>', 'send just this one, such as INT, and wait for nothing', parseSignal)
    .option('--grace <seconds>', 'from the polite signal to SIGKILL', parseSeconds, 5)
    .option('--json', 'one JSON value: {killed: [id]}')
    .action(kill);
}

async function kill(text: string | undefined, flags: KillFlags): Promise<void> {
  if ((text === undefined) === (flags.all !== true)) {
    throw new CommandError('usage', 'kill takes one session, or --all', ['see: cis dag sessions']);
  }
  const killed = text === undefined ? await killAll(flags) : await killNamed(text, flags);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ killed })}\n`);
  else for (const id of killed) process.stdout.write(`${flags.signal === undefined ? 'killed' : flags.signal} ${id}\n`);
}

/** A session that has ended already is as dead as it was to become. */
async function killNamed(text: string, flags: KillFlags): Promise<string[]> {
  using opened = await findSession(text, `kill (pid ${process.pid})`);
  const { found } = opened;
  if (found.living === null) {
    const end = found.row?.end ?? null;
    process.stderr.write(`cis: ${found.id} has ended already${end === null ? '' : `: ${describeEnd(end)}`}\n`);
    return [];
  }
  await killOne(found, flags);
  return [found.id];
}

async function killAll(flags: KillFlags): Promise<string[]> {
  const { found, hosts } = await readLivingSessions(findHome(process.env), `kill --all (pid ${process.pid})`);
  await Promise.all(found.map((session) => killOne(session, flags)));
  for (const host of hosts) host[Symbol.dispose]();
  return found.map((session) => session.id);
}

async function killOne(found: FoundSession, { signal, grace }: KillFlags): Promise<void> {
  await askHost(livingOf(found).host, {
    kind: 'kill',
    session: found.id,
    signal: signal ?? 'SIGTERM',
    graceMs: signal === undefined ? grace * 1000 : null,
    cause: 'user',
  });
}

function parseSignal(text: string): string {
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  if (!Object.hasOwn(constants.signals, name)) throw new InvalidArgumentError('a signal such as TERM, INT, HUP, KILL');
  return name;
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('seconds, 0 or more');
  return value;
}
