import { accessSync, constants } from 'node:fs';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Probe } from '../../agents/probe.ts';
import { probeAgent } from '../../agents/probe.ts';
import { findProfile, knownProfiles } from '../../agents/profiles.ts';
import type { Config } from '../../config/config.ts';
import { deriveFeatures, deriveLabels, deriveTier, parseLabels } from '../../domain/fleet/derive.ts';
import type { AgentFact, NodeFacts, Tier } from '../../domain/fleet/facts.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { noAgents } from '../policy.ts';
import { detectGpus } from './gpus.ts';
import { detectMachine } from './machine.ts';
import { detectModels, type ModelPlace } from './models.ts';

/** What can be found out of a machine without an account. */
export type Detected = Omit<NodeFacts, 'did' | 'userId' | 'deviceId' | 'sealKey'>;

export interface DetectOptions {
  readonly config: Pick<Config, 'node' | 'agents'>;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  /** Asked besides those of the config; by default the usual ports of this machine. */
  readonly usualModels?: readonly ModelPlace[];
}

/** Programs that tasks often need, and that not every machine has. */
const programs = ['cargo', 'docker', 'git', 'go', 'java', 'make', 'node', 'podman', 'python3', 'tmux'];

/** How this node is called by people. */
export function nodeName(config: Pick<Config, 'node'>): string {
  return config.node.name ?? hostname();
}

/** Looks at this machine: takes as long as the slowest program that tells its version. An error is a mistake in the config. */
export async function detect({ config, env, version, usualModels }: DetectOptions): Promise<Result<Detected, string>> {
  const labels = parseLabels(config.node.labels);
  if (!labels.ok) return labels;
  const agents = await detectAgents(config, env);
  if (!agents.ok) return agents;
  const [gpus, models] = await Promise.all([detectGpus(env), detectModels(config.node.model_servers, usualModels)]);
  const machine = detectMachine(gpus);
  return ok({
    node: nodeName(config),
    version,
    machine,
    agents: agents.value,
    models,
    labels: deriveLabels(machine, labels.value),
    features: deriveFeatures(
      machine,
      agents.value,
      models,
      programs.filter((name) => isInstalled(name, env)),
    ),
    tier: config.node.tier === 'auto' ? deriveTier(machine, models) : (Number(config.node.tier) as Tier),
    slots: config.node.max_sessions,
  });
}

/** Installed agents, of those that the policy lets run. */
async function detectAgents(
  { node, agents }: DetectOptions['config'],
  env: NodeJS.ProcessEnv,
): Promise<Result<readonly AgentFact[], string>> {
  const names = new Set([...knownProfiles.map(({ name }) => name), ...Object.keys(agents)]);
  const offered = [...names].filter((name) => node.agents.length === 0 || node.agents.includes(name));
  const strange = node.agents.find((name) => name !== noAgents && !names.has(name));
  if (strange !== undefined) return err(`node.agents names ${strange}, which is no agent that cis knows`);
  const found: AgentFact[] = [];
  const profiles = [];
  for (const name of offered) {
    const profile = findProfile(name, agents);
    if (!profile.ok) return profile;
    profiles.push(profile.value);
  }
  const probes = await Promise.all(profiles.map((profile) => probeAgent(profile, env)));
  for (const [index, probe] of probes.entries()) {
    const name = profiles[index]?.name ?? '';
    if (probe.path !== null) found.push({ name, version: probe.version?.slice(0, 80) ?? null, login: loginOf(probe) });
  }
  return ok(found);
}

function loginOf({ login }: Probe): AgentFact['login'] {
  switch (login.kind) {
    case 'variable':
    case 'file':
      return 'yes';
    case 'none':
      return 'no';
    case 'unknown':
      return 'unknown';
  }
}

function isInstalled(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
