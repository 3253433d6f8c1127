import { probeAgent, type Probe } from '../../agents/probe.ts';
import type { AgentProfile } from '../../agents/profile.ts';
import { findProfile, knownProfiles } from '../../agents/profiles.ts';
import { CommandError } from '../exit.ts';
import { readConfig } from '../context.ts';

export interface FoundAgent {
  readonly profile: AgentProfile;
  readonly probe: Probe;
}

/** Every agent there is, known or of the config, and what this machine has of it. A mistake in the config ends the command. */
export async function findAgents(): Promise<FoundAgent[]> {
  const { config } = await readConfig();
  const names = new Set([...knownProfiles.map(({ name }) => name), ...Object.keys(config.agents)]);
  const profiles = [...names].map((name) => needProfile(name, config.agents));
  return Promise.all(profiles.map(async (profile) => ({ profile, probe: await probeAgent(profile, process.env) })));
}

export async function findAgent(name: string): Promise<FoundAgent> {
  const { config } = await readConfig();
  const profile = needProfile(name, config.agents);
  return { profile, probe: await probeAgent(profile, process.env) };
}

function needProfile(name: string, tables: Parameters<typeof findProfile>[1]): AgentProfile {
  const found = findProfile(name, tables);
  if (found.ok) return found.value;
  throw new CommandError(found.error.startsWith('unknown') ? 'not-found' : 'usage', found.error);
}

export function describeVersion({ profile, probe }: FoundAgent): string {
  if (probe.path === null) return 'not installed';
  if (probe.version === null) return 'does not tell its version';
  if (probe.tried || profile.triedVersions.length === 0) return probe.version;
  return `${probe.version} (not tried with cis yet: tried are ${profile.triedVersions.map((one) => `${one}x`).join(', ')})`;
}

export function describeLogin({ probe: { login } }: FoundAgent): string {
  switch (login.kind) {
    case 'variable':
      return `by $${login.name}`;
    case 'file':
      return `by ${login.path}`;
    case 'none':
      return 'no sign of a login';
    case 'unknown':
      return '';
  }
}
