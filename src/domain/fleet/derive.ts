import { err, ok, type Result } from '../result.ts';
import type { AgentFact, Machine, ModelServer, Tier } from './facts.ts';

/** Below both of it a machine is small: it runs commands, and an agent at a time. */
const smallCores = 2;
const smallMemoryMb = 4_096;
/** What a GPU needs to run a model that can do something. */
const modelGpuMb = 8_000;
/** Apple's GPUs share the memory, of which a model may take about two thirds. */
const modelSharedMb = 16_000;

/** The tier of a machine by what it is; `[node] tier` of the config beats it. */
export function deriveTier(machine: Machine, models: readonly ModelServer[]): Tier {
  if (models.some((server) => server.models.length > 0)) return 2;
  if (machine.gpus.some((gpu) => (gpu.memoryMb ?? 0) >= modelGpuMb)) return 2;
  if (machine.gpus.some(({ vendor }) => vendor === 'apple') && machine.memoryMb >= modelSharedMb) return 2;
  return machine.cores <= smallCores && machine.memoryMb < smallMemoryMb ? 0 : 1;
}

/** Labels that every node has; those of the config are laid over them. */
export function deriveLabels(
  machine: Machine,
  own: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const vendors = [...new Set(machine.gpus.map(({ vendor }) => vendor))];
  const gpu = vendors.length === 0 ? 'none' : vendors.join('+');
  return { os: machine.os, arch: machine.arch, gpu, ...own };
}

/** Words for `features` and `needs`, sorted. `programs`: those of interest that are installed. */
export function deriveFeatures(
  machine: Machine,
  agents: readonly AgentFact[],
  models: readonly ModelServer[],
  programs: readonly string[],
): readonly string[] {
  const gpus = machine.gpus.flatMap(({ vendor }) => ['gpu', vendor]);
  const words = [...programs, ...agents.map(({ name }) => name), ...models.map(({ kind }) => kind), ...gpus];
  return [...new Set(words)].toSorted();
}

/** `NAME=VALUE` as `[node] labels` has them; a name alone is `true`. */
export function parseLabels(texts: readonly string[]): Result<Readonly<Record<string, string>>, string> {
  const labels: Record<string, string> = {};
  for (const text of texts) {
    const match = /^([A-Za-z0-9][A-Za-z0-9_./-]{0,62})(?:=(.{0,200}))?$/.exec(text);
    if (match === null)
      return err(`"${text}" in node.labels is not NAME=VALUE: letters, digits, . _ / and - in the name`);
    labels[match[1] ?? ''] = match[2] ?? 'true';
  }
  return ok(labels);
}
