import { probeAgent, type Probe } from '../../agents/probe.ts';
import type { AgentProfile } from '../../agents/profile.ts';
import { findProfile, knownProfiles, type AgentTables } from '../../agents/profiles.ts';
import { parseAgentDefaults, type AgentDefaults } from '../../agents/user-profile.ts';
import { CommandError } from '../exit.ts';
import { readConfig } from '../context.ts';

export interface FoundAgent {
  /** What a task gets that says nothing else. */
  readonly defaults: AgentDefaults;
  readonly profile: AgentProfile;
  readonly probe: Probe;
}

/** Every agent there is, known or of the config, and what this machine has of it. A mistake in the config ends the command. */
export async function findAgents(): Promise<FoundAgent[]> {
  const { config } = await readConfig();
  const names = new Set([...knownProfiles.map(({ name }) => name), ...Object.keys(config.agents)]);
  const profiles = [...names].map((name) => needProfile(name, config.agents));
  return Promise.all(profiles.map((profile) => look(profile, config.agents)));
}

export async function findAgent(name: string): Promise<FoundAgent> {
  const { config } = await readConfig();
  return look(needProfile(name, config.agents), config.agents);
}

async function look(profile: AgentProfile, tables: AgentTables): Promise<FoundAgent> {
  const probe = await probeAgent(profile, process.env);
  return { profile, defaults: parseAgentDefaults(tables[profile.name]), probe };
}

function needProfile(name: string, tables: AgentTables): AgentProfile {
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
