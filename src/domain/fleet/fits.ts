import type { NodeSelector } from '../dag.ts';
import type { Demand } from './demand.ts';
import type { KnownNode, NodeFacts } from './facts.ts';

/**
 * Says what of a demand a machine does not have, by what it is (not by how busy it is): a machine that lacks something now lacks
 * it in a minute. All of it at once, in words; empty when it fits.
 */
export function lacks(node: KnownNode, demand: Demand): string[] {
  const { placement, pinned } = demand;
  const { facts } = node;
  return [
    ...(pinned === null || pinned === facts.did ? [] : ['the agent session it goes on in is on another node']),
    ...(placement.targetNode === undefined || isCalled(facts, placement.targetNode)
      ? []
      : [`\`target_node\` is ${placement.targetNode}`]),
    ...(demand.agent === null || facts.agents.some(({ name }) => name === demand.agent)
      ? []
      : [`${demand.agent} is not installed, or not offered`]),
    ...(demand.localModel === null || hasModel(facts, demand.localModel)
      ? []
      : [`it has no model ${demand.localModel}`]),
    ...(placement.selector === undefined ? [] : selectorLacks(node, placement.selector)),
    ...placement.needs.filter((need) => !meets(facts, need)).map((need) => `it does not have ${need}`),
    ...(placement.tier !== undefined && placement.tierFallback === 'strict' && facts.tier !== placement.tier
      ? [`its tier is ${facts.tier}, \`tier\` is ${placement.tier} and strict`]
      : []),
  ];
}

/** By name, by its key, or by what its user called the key's end. */
export function isCalled(facts: Pick<NodeFacts, 'node' | 'did'>, name: string): boolean {
  return facts.node === name || facts.did === name;
}

function selectorLacks(node: KnownNode, selector: NodeSelector): string[] {
  const { facts } = node;
  const { os, arch } = facts.machine;
  return [
    ...(selector.os === undefined || osName(selector.os) === os ? [] : [`its os is ${os}, not ${selector.os}`]),
    ...(selector.arch === undefined || archName(selector.arch) === arch
      ? []
      : [`its arch is ${arch}, not ${selector.arch}`]),
    ...selector.features.filter((feature) => !meets(facts, feature)).map((feature) => `it does not have ${feature}`),
    ...Object.entries(selector.labels).flatMap(([name, value]) => {
      const own = Object.hasOwn(facts.labels, name) ? facts.labels[name] : undefined;
      return own === value ? [] : [`its label ${name} is ${own ?? 'not set'}, not ${value}`];
    }),
    ...Object.entries(selector.minResources).flatMap(([name, least]) => resourceLack(node, name, least)),
  ];
}

function osName(name: string): string {
  const lower = name.toLowerCase();
  return ({ macos: 'darwin', osx: 'darwin', windows: 'win32' } as Record<string, string>)[lower] ?? lower;
}

function archName(name: string): string {
  const lower = name.toLowerCase();
  return ({ x86_64: 'x64', amd64: 'x64', aarch64: 'arm64' } as Record<string, string>)[lower] ?? lower;
}

/** A word of `features` or `needs`: a feature, an agent, a label (`site` or `site=lab`), or a model (`model:llama3`). */
export function meets(facts: NodeFacts, word: string): boolean {
  if (word.startsWith('model:')) return hasModel(facts, word.slice('model:'.length));
  if (facts.features.includes(word) || facts.agents.some(({ name }) => name === word)) return true;
  const at = word.indexOf('=');
  if (at === -1) return Object.hasOwn(facts.labels, word) && facts.labels[word] !== 'false';
  const name = word.slice(0, at);
  return Object.hasOwn(facts.labels, name) && facts.labels[name] === word.slice(at + 1);
}

/** Ollama lists `llama3:latest` for what people call `llama3`. */
export function hasModel({ models }: Pick<NodeFacts, 'models'>, model: string): boolean {
  return models.some((server) => server.models.some((name) => name === model || name === `${model}:latest`));
}

type Measure = (node: KnownNode) => number;

const gpuMemoryMb: Measure = ({ facts }) => Math.max(0, ...facts.machine.gpus.map(({ memoryMb }) => memoryMb ?? 0));

/** Names of `min_resources`, and how much a node has of each. */
const resources: Readonly<Record<string, Measure>> = {
  cores: ({ facts }) => facts.machine.cores,
  cpu: ({ facts }) => facts.machine.cores,
  cpus: ({ facts }) => facts.machine.cores,
  memory_mb: ({ facts }) => facts.machine.memoryMb,
  memory_gb: ({ facts }) => facts.machine.memoryMb / 1024,
  ram_gb: ({ facts }) => facts.machine.memoryMb / 1024,
  memory_free_mb: ({ load }) => load.memoryFreeMb,
  memory_free_gb: ({ load }) => load.memoryFreeMb / 1024,
  disk_mb: ({ load }) => load.diskFreeMb,
  disk_gb: ({ load }) => load.diskFreeMb / 1024,
  gpus: ({ facts }) => facts.machine.gpus.length,
  gpu: ({ facts }) => facts.machine.gpus.length,
  gpu_memory_mb: gpuMemoryMb,
  gpu_memory_gb: (node) => gpuMemoryMb(node) / 1024,
  vram_gb: (node) => gpuMemoryMb(node) / 1024,
  slots: ({ facts }) => facts.slots,
};

function resourceLack(node: KnownNode, name: string, least: number): string[] {
  const measure = Object.hasOwn(resources, name) ? resources[name] : undefined;
  if (measure === undefined) {
    return [`nobody knows what \`min_resources.${name}\` is; known are ${Object.keys(resources).join(', ')}`];
  }
  const has = measure(node);
  return has >= least ? [] : [`its ${name} is ${rounded(has)}, less than ${rounded(least)}`];
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}
