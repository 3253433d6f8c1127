import type { Placement, Task } from '../dag.ts';
import type { Did } from './did.ts';

/** What a task asks of the machine that runs it. */
export interface Demand {
  readonly placement: Placement;
  /** Null: a command, which any machine runs. */
  readonly agent: string | null;
  /** A model that must lie on the machine itself; null where the agent reaches it elsewhere. */
  readonly localModel: string | null;
  /** Bytes of what the task builds upon, by the node that has them already. */
  readonly data: ReadonlyMap<Did, number>;
  /** The agent session that it goes on in lives there, and nowhere else. */
  readonly pinned: Did | null;
  /** Nodes that gave this attempt back, with what they said: they are not asked again. */
  readonly refusals: ReadonlyMap<Did, string>;
}

const localProviders: ReadonlySet<string> = new Set([
  'ollama',
  'lmstudio',
  'lm-studio',
  'llamacpp',
  'llama.cpp',
  'local',
]);

/** `agent`: as resolved, for a task that names none. Data, pin and refusals are filled in by who knows the run. */
export function demandOf({ action, placement }: Pick<Task, 'action' | 'placement'>, agent: string | null): Demand {
  const demand = { placement, data: new Map(), pinned: null, refusals: new Map() };
  if (action.kind === 'command') return { ...demand, agent: null, localModel: null };
  const { model, baseUrl, providerType } = action.config;
  const isLocal =
    localProviders.has(providerType?.toLowerCase() ?? '') ||
    /^https?:\/\/(?:127\.|localhost[:/]|\[::1\])/.test(`${baseUrl ?? ''}/`);
  return { ...demand, agent, localModel: isLocal ? (model ?? null) : null };
}
