import type { Command } from 'commander';
import { findHome, type Home } from '../../config/home.ts';
import type { SessionState } from '../../domain/session.ts';
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

async function read(home: Home, run: string | null, flags: SessionsFlags): Promise<FoundSession[]> {
  const { found, hosts } = await (flags.all === true ? readAllSessions : readLivingWithRows)(home, 'sessions', run);
  for (const host of hosts) host[Symbol.dispose]();
  return found.filter((session) => run === null || session.run === run);
}

function show(found: readonly FoundSession[], flags: SessionsFlags): void {
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ sessions: found.map(toJson) })}\n`);
  else process.stdout.write(renderSessions(found, flags, Date.now()));
}

/** A session as `--json` shows it. */
export function toJson(found: FoundSession) {
  const state = stateOf(found);
  return {
    id: found.id,
    run: found.run,
    task: found.task,
    attempt: found.attempt,
    agent: found.row?.agent ?? null,
    state: state.kind,
    end: state.kind === 'ended' ? state.end : null,
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

function renderSessions(found: readonly FoundSession[], flags: SessionsFlags, now: number): string {
  if (found.length === 0) {
    return flags.all === true ? 'no sessions yet\n' : 'no living sessions (--all shows those that have ended)\n';
  }
  const rows = found.map((session) => [
    session.id,
    describeState(stateOf(session)),
    session.row?.agent ?? '-',
    renderAge(now - startedAt(session)),
    session.living?.session.attachments.map(({ who, writer }) => (writer ? who : `${who} (looking)`)).join(', ') || '-',
  ]);
  return renderTable([['SESSION', 'STATE', 'AGENT', 'AGE', 'ATTACHED'], ...rows]);
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
