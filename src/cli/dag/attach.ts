import { ReadStream, WriteStream } from 'node:tty';
import type { Command } from 'commander';
import { unreachable } from '../../domain/unreachable.ts';
import { attachTerminal, type AttachOutcome } from '../../host/attach.ts';
import { nameKeys } from '../../host/detach-keys.ts';
import { parseKeys } from '../../host/keys.ts';
import { readCastHeader, renderTranscript } from '../../host/transcript.ts';
import type { Home } from '../../config/home.ts';
import { openScreenRedactor, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import type { FoundSession } from '../resolve.ts';
import { castPath, describeEnd, findSession, hostError, readRemoteLog, type OpenedSession } from './session.ts';

interface AttachFlags {
  readonly readonly?: boolean;
  readonly force?: boolean;
  readonly detachKeys?: string;
}

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, RUN:TASK#ATTEMPT, or the beginning of one')
    .option('-r, --readonly', 'look only: nothing that is typed reaches the session')
    .option('-f, --force', 'take the keyboard from whoever has it')
    .option('--detach-keys <keys>', 'what leaves the session running (default: [attach] detach of the config, C-] d)')
    .action(attach);
}

async function attach(text: string, flags: AttachFlags): Promise<void> {
  const detachKeys = await readDetachKeys(flags.detachKeys);
  using opened = await findSession(text, `attach (pid ${process.pid})`);
  const { found } = opened;
  if (found.living === null) return await showEnded(opened); // the connection is closed on return
  const { stdin, stdout } = process;
  if (!(stdin instanceof ReadStream) || !(stdout instanceof WriteStream)) {
    throw new CommandError('usage', 'attach needs a terminal on stdin and stdout', [
      `to read without one: cis dag logs ${found.id}`,
      `to type without one: cis dag send ${found.id} TEXT --enter`,
    ]);
  }
  const outcome = await attachTerminal({
    host: found.living.host,
    session: found.id,
    stdin,
    stdout,
    readonly: flags.readonly ?? false,
    force: flags.force ?? false,
    detachKeys,
  });
  if (outcome.ok) return say(outcome.value, opened, detachKeys);
  if (outcome.error.kind === 'session-ended') return await showEnded(opened);
  throw hostError(outcome.error);
}

/** A config with mistakes in it does not keep anybody from looking into a session by keys that were given. */
async function readDetachKeys(given: string | undefined): Promise<readonly string[]> {
  const keys = given ?? (await readConfig()).config.attach.detach;
  const parsed = parseKeys(keys);
  if (parsed.ok) return parsed.value;
  throw new CommandError('usage', `${given === undefined ? '[attach] detach' : '--detach-keys'}: ${parsed.error}`);
}

function say(outcome: AttachOutcome, { found }: OpenedSession, detachKeys: readonly string[]): void {
  switch (outcome.kind) {
    case 'detached':
      process.stdout.write(`[detached from ${found.id}; it goes on: cis dag attach ${found.id}]\n`);
      return;
    case 'session-ended':
      process.stdout.write(`[${found.id} ${describeEnd(outcome.end)}]\n`);
      return;
    case 'taken-over':
      throw new CommandError('refused', `${outcome.by} took the keyboard of ${found.id}`, [
        `to watch: cis dag attach ${found.id} --readonly (${nameKeys(detachKeys)} detaches)`,
      ]);
    case 'disconnected':
      if (found.node !== null) throw wayGone(found, found.node.name);
      throw new CommandError('unreachable', `the host is gone, and ${found.id} with it`, ['see: cis dag list']);
    case 'signalled':
      throw new CommandError('interrupted', `detached from ${found.id} by ${outcome.signal}; it goes on`);
    default:
      return unreachable(outcome);
  }
}

/** The session goes on, or not: nobody here knows. */
function wayGone({ id, remote }: FoundSession, node: string): CommandError {
  const why = remote?.goneBecause ?? '';
  return new CommandError('unreachable', `the way to ${node} is gone${why === '' ? '' : `: ${why}`}`, [
    `to look again: cis dag attach ${id}`,
  ]);
}

/** What a session that has ended showed last, and how it ended. */
async function showEnded({ home, found }: OpenedSession): Promise<void> {
  const end = found.row?.end ?? null;
  process.stdout.write(
    `${await readLast(home, found)}\n[${found.id} ${end === null ? 'has ended' : describeEnd(end)}]\n`,
  );
}

async function readLast(home: Home, found: FoundSession): Promise<string> {
  if (found.remote !== null) {
    const text = await readRemoteLog(found.remote, { session: found.id, as: 'text', lines: 24, follow: false });
    return (await openScreenRedactor((await readConfig()).config))(text.toString());
  }
  const path = castPath(home, found);
  const rows = readCastHeader(path)?.height ?? 24;
  return renderTranscript(path).split('\n').slice(-rows).join('\n');
}
