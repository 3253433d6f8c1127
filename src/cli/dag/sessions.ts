import type { Command } from 'commander';
import { findHome, type Home } from '../../config/home.ts';
import { err } from '../../domain/result.ts';
import type { SessionState } from '../../domain/session.ts';
import { isInFleet } from '../../federation/in-fleet.ts';
import type { HostConnection } from '../../host/port.ts';
import type { HostedSession } from '../../host/protocol.ts';
import { readAllSessions, readLivingWithRows, resolveRun, type FoundSession } from '../resolve.ts';
import { describeWait } from '../../domain/words.ts';
import { describeEnd } from './session.ts';

interface SessionsFlags {
  readonly dag?: string;
  readonly all?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
}

const watchEveryMs = 1_000;

export function command(into: Command): Command {
  return into
    .option('--dag <run>', 'of this run only')
    .option('-a, --all', 'ended ones as well')
    .option('-w, --watch', 'again every second until Ctrl-C')
    .option('--json', 'one JSON value: {sessions: […]}; with --watch one a line')
    .action(sessions);
}

async function sessions(flags: SessionsFlags): Promise<void> {
  const home = findHome(process.env);
  const run = flags.dag === undefined ? null : await resolveRun(home, flags.dag);
  if (flags.watch !== true) return show(await read(home, run, flags), flags);
  for (;;) {
    const found = await read(home, run, flags);
    if (process.stdout.isTTY) process.stdout.write('\u001b[H\u001b[2J');
    show(found, flags);
    await new Promise((resolve) => void setTimeout(resolve, watchEveryMs));
  }
}

/** A session as it was found, and whether the node that has it said so. */
interface ListedSession extends FoundSession {
  /** Its node did not answer: what became of it is not known. */
  readonly isUnreached: boolean;
}

/** A node that answers does so at once; the others are not waited for as long as one that is asked for by name. */
const answerMs = 5_000;

async function read(home: Home, run: string | null, flags: SessionsFlags): Promise<ListedSession[]> {
  // those of other nodes are known to the database alone
  const readSome = flags.all === true || isInFleet(home) ? readAllSessions : readLivingWithRows;
  const { found, hosts } = await readSome(home, 'sessions', run);
  for (const host of hosts) host[Symbol.dispose]();
  const wanted = found.filter((session) => run === null || session.run === run);
  const listed = await askNodes(home, wanted);
  return listed.filter((session) => flags.all === true || session.living !== null || session.isUnreached);
}

/** Asks the nodes that may have living sessions for them. Without one it costs nothing. */
async function askNodes(home: Home, found: readonly FoundSession[]): Promise<ListedSession[]> {
  const isOpen = (session: FoundSession): boolean => session.node !== null && (session.row?.end ?? null) === null;
  const open = found.filter(isOpen);
  if (open.length === 0) return found.map((session) => ({ ...session, isUnreached: false }));
  const { listOn, openNodes } = await import('../remote.ts');
  using nodes = await openNodes(home, 'sessions', answerMs);
  const places = new Map(open.flatMap(({ node }) => (node === null ? [] : [[node.name, node] as const])));
  const answers = new Map<string, readonly HostedSession[]>();
  await Promise.all(
    [...places.values()].map(async (place) => {
      const host = await nodes.host(place);
      if (host.ok) answers.set(place.name, await listOn(host.value));
      else process.stderr.write(`cis: ${host.error}\n`);
    }),
  );
  return found.map((session) => {
    if (!isOpen(session)) return { ...session, isUnreached: false };
    const there = answers.get(session.node?.name ?? '');
    const hosted = there?.find((one) => one.session === session.id);
    // nobody speaks with it here: the connection is closed when this returns
    const living = hosted === undefined ? null : { host: goneHost, session: hosted };
    return { ...session, living, isUnreached: there === undefined };
  });
}

const goneHost: HostConnection = {
  request: async () => err({ kind: 'disconnected' }),
  type() {},
  listen() {},
  closed: Promise.resolve(),
  [Symbol.dispose]() {},
};

function show(found: readonly ListedSession[], flags: SessionsFlags): void {
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ sessions: found.map(toJson) })}\n`);
  else process.stdout.write(renderSessions(found, flags, Date.now()));
}

/** A session as `--json` shows it. */
export function toJson(found: ListedSession) {
  const state = stateOf(found);
  return {
    id: found.id,
    run: found.run,
    task: found.task,
    attempt: found.attempt,
    node: found.node?.name ?? null,
    agent: found.row?.agent ?? null,
    state: found.isUnreached ? 'unreached' : state.kind,
    end: state.kind === 'ended' && !found.isUnreached ? state.end : null,
    pid: 'pid' in state ? state.pid : null,
    block: state.kind === 'blocked' ? state.block : null,
    startedAt: startedAt(found),
    endedAt: found.row?.endedAt ?? null,
    lastOutputAt: found.living?.session.lastOutputAt ?? null,
    attachments: found.living?.session.attachments ?? [],
  };
}

/** An attempt without an end whose host is gone ended with it; whoever drives the run will say so. */
function stateOf({ living, row }: FoundSession): SessionState {
  return living?.session.state ?? { kind: 'ended', end: row?.end ?? { kind: 'lost' } };
}

function startedAt({ living, row }: FoundSession): number {
  return living?.session.startedAt ?? row?.startedAt ?? 0;
}

function renderSessions(found: readonly ListedSession[], flags: SessionsFlags, now: number): string {
  if (found.length === 0) {
    return flags.all === true ? 'no sessions yet\n' : 'no living sessions (--all shows those that have ended)\n';
  }
  const isFleet = found.some(({ node }) => node !== null);
  const rows = found.map((session) => [
    session.id,
    ...(isFleet ? [session.node?.name ?? '-'] : []),
    session.isUnreached ? 'not reached' : describeState(stateOf(session)),
    session.row?.agent ?? '-',
    startedAt(session) === 0 ? '-' : renderAge(now - startedAt(session)),
    session.living?.session.attachments.map(({ who, writer }) => (writer ? who : `${who} (looking)`)).join(', ') || '-',
  ]);
  return renderTable([['SESSION', ...(isFleet ? ['NODE'] : []), 'STATE', 'AGENT', 'AGE', 'ATTACHED'], ...rows]);
}

function describeState(state: SessionState): string {
  if (state.kind === 'ended') return describeEnd(state.end);
  if (state.kind !== 'blocked') return state.kind;
  return `${describeWait(state.block) ?? 'blocked'}: ${state.block.question.split('\n')[0] ?? ''}`;
}

function renderAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
