import type { LoadedConfig } from '../../config/load.ts';
import { resolveAgent } from '../../dagfile/action.ts';
import type { AgentMode, Dag } from '../../domain/dag.ts';
import type { RunMode } from '../../domain/run.ts';
import { CommandError } from '../exit.ts';
import type { RunFlags } from './run-options.ts';

/** What flags, environment, DAG file and config together say of a run. */
export interface RunChoice {
  readonly mode: RunMode;
  readonly room: string | null;
  readonly maxWorkers: number;
  readonly defaultAgent: string | null;
  readonly agentMode: AgentMode;
}

/**
 * Settles how a run goes. Flags beat `CIS_*` variables, these the DAG file, and the file the config: whoever calls knows this run, the
 * file knows its tasks, the config knows neither.
 */
export function chooseRun(dag: Dag, flags: RunFlags, loaded: LoadedConfig): RunChoice {
  const { config, origins } = loaded;
  const choose = <T>(flag: T | undefined, path: string, inFile: T | undefined, configured: T): T => {
    if (flag !== undefined) return flag;
    return origins.get(path)?.kind === 'env' ? configured : (inFile ?? configured);
  };
  const mode = chooseMode(flags, loaded);
  const agent = choose(flags.agent ?? undefined, 'dag.default_agent', dag.defaultAgent, config.dag.default_agent);
  return {
    mode,
    room: choose(flags.room ?? undefined, 'dag.room_id', dag.matrix.room, config.dag.room_id),
    maxWorkers: choose(flags.maxWorkers, 'dag.max_workers', dag.maxWorkers, config.dag.max_workers),
    defaultAgent: agent === null ? null : needAgent(agent, config.agents),
    agentMode: flags.mode ?? (isWatched(flags, mode) ? 'interactive' : 'oneshot'),
  };
}

/** The name of a known agent; another one ends the command. */
export function needAgent(name: string, tables: Readonly<Record<string, unknown>>): string {
  const found = resolveAgent(name, { agents: Object.keys(tables) });
  if ('name' in found) return found.name;
  throw new CommandError('usage', found.message.replaceAll('`', '"'), [found.hint]);
}

function chooseMode(flags: RunFlags, { config }: LoadedConfig): RunMode {
  const given = (['local', 'hybrid', 'matrix'] as const).filter((mode) => flags[mode] === true);
  if (given.length > 1) throw new CommandError('usage', `--${given.join(' and --')} do not go together`);
  const mode = given[0] ?? (flags.room === undefined ? config.dag.default_mode : 'hybrid');
  if (mode === 'local' || config.dagMatrix.enabled) return mode;
  process.stderr.write('cis: nothing is sent to a room: `enabled = false` in `[dag.matrix]` of the config\n');
  return 'local';
}

/** A run that began here does not go on on nodes, nor the other way: what one task left would not be there for the next. */
export function needSameMachinery(now: RunMode, wanted: RunMode): void {
  if ((now === 'matrix') === (wanted === 'matrix')) return;
  const said = now === 'matrix' ? 'runs on the nodes of its room' : 'runs on this machine';
  throw new CommandError('refused', `a run that ${said} stays there: its tasks build on what earlier ones left`, [
    now === 'matrix'
      ? 'take its tasks elsewhere with `target_node`'
      : 'start it on nodes: cis dag run FILE --matrix --room ROOM',
  ]);
}

/** Somebody may look at the sessions: agents then run with their own screens. */
function isWatched(flags: RunFlags, mode: RunMode): boolean {
  const asked = flags.detach === true || mode !== 'local' || process.stdout.isTTY;
  return asked && (process.env['CI'] ?? '') === '' && flags.wait;
}
