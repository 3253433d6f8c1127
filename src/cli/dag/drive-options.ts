import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import type { RunSettings } from '../../domain/run.ts';
import type { AskOptions } from '../../executor/ask.ts';
import { connectHost } from '../../host/client.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns } from '../../storage/read.ts';
import type { Agents } from '../../executor/agents.ts';
import { openScreenRedactor } from '../context.ts';

/** The size of the terminal of a session that nobody looks at. */
const unseen = { cols: 120, rows: 40 };

/** What every driver of a run needs to know of this process and its config. */
export async function driveOptions(
  home: Home,
  db: Db,
  settings: RunSettings,
  config: Config,
  what: string,
): Promise<AskOptions> {
  return {
    home,
    db,
    settings,
    connect: connectHost,
    what,
    env: process.env,
    umask: process.umask(),
    maxRecordingBytes: config.host.recording_max_mb * 1024 * 1024,
    answers: config.answers,
    killGraceMs: config.host.kill_grace_ms,
    hostIdleMs: config.host.idle_exit_secs * 1000,
    mask: await openScreenRedactor(config, settings),
    agents: await openRunAgents(home, settings, config),
    ...(await openFleetOf(home, db, settings, config)),
    ...unseen,
  };
}

/** Where sessions of a matrix run live: on the nodes of its room. */
async function openFleetOf(
  home: Home,
  db: Db,
  settings: RunSettings,
  config: Config,
): Promise<Pick<AskOptions, 'openWorkplace'>> {
  if (findRuns(db, settings.run)[0]?.mode !== 'matrix') return {};
  const { fleetOpener } = await import('./fleet.ts');
  return { openWorkplace: await fleetOpener(home, db, settings, config) };
}

/** A run of commands alone loads no agent. */
async function openRunAgents(home: Home, settings: RunSettings, { agents }: Config): Promise<Agents | null> {
  if (!settings.dag.tasks.some(({ action }) => action.kind === 'agent')) return null;
  const { openAgents } = await import('../../executor/agents.ts');
  return openAgents({ home, settings, tables: agents, env: process.env });
}
