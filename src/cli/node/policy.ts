import type { Command } from 'commander';
import type { NodePolicy } from '../../domain/fleet/policy.ts';
import { policyOf } from '../../federation/policy.ts';
import { listTrust, type TrustRow } from '../../storage/trust.ts';
import { openDatabase, print, printJson, readConfig } from '../context.ts';
import { nameOf, trustToJson } from './trust.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nIt is set in `[node]` and `[node.policy]` of the config; who may give work is said by `cis node trust`.',
    )
    .action(async (options: { readonly json?: true }) => {
      const { config } = await readConfig();
      const policy = policyOf(config);
      const db = await openDatabase();
      const coordinators = db === null ? [] : listTrust(db).filter(({ roles }) => roles.includes('coordinator'));
      db?.close();
      if (options.json) printJson(toJson(policy, coordinators));
      else print(render(policy, coordinators));
    });
}

function render(policy: NodePolicy, coordinators: readonly TrustRow[]): string[] {
  const envWords = {
    all: 'any',
    safe: 'any but those that decide which program runs',
    none: 'none',
  } as const satisfies Record<NodePolicy['env'], string>;
  return [
    ...(coordinators.length === 0
      ? ['orders from   this home only (cis node trust NODE --as coordinator)']
      : coordinators.map((row, index) => `${index === 0 ? 'orders from   ' : '              '}${nameOf(row)}`)),
    `agents        ${policy.agents === null ? 'every one installed' : policy.agents.join(', ') || 'none'}`,
    `commands      ${policy.allowCommands === null ? 'any' : `only ${policy.allowCommands.join(', ')}`}`,
    `never         ${policy.denyCommands.length === 0 ? 'nothing is named' : policy.denyCommands.join(', ')}`,
    `directories   ${policy.dirs.length === 0 ? 'its own only' : `${policy.dirs.join(', ')}, and its own`}`,
    `variables     ${envWords[policy.env]}`,
    `agents' URLs  this machine${policy.baseUrls.map((url) => `, ${url}`).join('')}`,
    `agent modes   ${policy.permissionModes === null ? 'any' : policy.permissionModes.join(', ')}`,
    `sessions      ${policy.maxSessions} at once`,
    `answers from  ${policy.answersFrom.length === 0 ? 'nobody elsewhere' : policy.answersFrom.join(', ')}`,
  ];
}

function toJson(policy: NodePolicy, coordinators: readonly TrustRow[]): object {
  return {
    coordinators: coordinators.map(trustToJson),
    agents: policy.agents,
    allow_commands: policy.allowCommands,
    deny_commands: policy.denyCommands,
    dirs: policy.dirs,
    env: policy.env,
    base_urls: policy.baseUrls,
    permission_modes: policy.permissionModes,
    max_sessions: policy.maxSessions,
    answers_from: policy.answersFrom,
  };
}
