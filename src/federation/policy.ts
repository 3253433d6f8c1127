import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { checkPolicy, type NodePolicy, type PolicyQuestion, type Refusal } from '../domain/fleet/policy.ts';
import type { Result } from '../domain/result.ts';

/** In `node.agents`, which when empty means all. */
export const noAgents = 'none';

/** The policy that the config gives this node. An empty list of agents or allowed commands means all. */
export function policyOf(config: Pick<Config, 'node' | 'nodePolicy'>): NodePolicy {
  const { node, nodePolicy } = config;
  return {
    agents: node.agents.length === 0 ? null : node.agents.filter((name) => name !== noAgents),
    allowCommands: nodePolicy.allow_commands.length === 0 ? null : nodePolicy.allow_commands,
    denyCommands: nodePolicy.deny_commands,
    dirs: nodePolicy.dirs.map((dir) => realDir(resolve(dir))),
    env: nodePolicy.env,
    baseUrls: nodePolicy.base_urls,
    permissionModes: nodePolicy.permission_modes.length === 0 ? null : nodePolicy.permission_modes,
    maxSessions: node.max_sessions,
    answersFrom: nodePolicy.answers_from,
  };
}

/** Asks the policy about a task, with the directory that its links lead to: a link must not lead out of what is offered. */
export function judgeOrder(policy: NodePolicy, question: PolicyQuestion): Result<null, Refusal> {
  return checkPolicy(policy, { ...question, dir: question.dir === null ? null : realDir(question.dir) });
}

/** The path without links, as far as it exists. */
function realDir(path: string): string {
  if (!isAbsolute(path)) return path;
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realDir(parent), basename(path));
  }
}
