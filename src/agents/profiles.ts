import { nearest } from '../domain/nearest.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { claude } from './known/claude.ts';
import { codex } from './known/codex.ts';
import { gemini } from './known/gemini.ts';
import { opencode } from './known/opencode.ts';
import { aider, kimi, shell } from './known/others.ts';
import { qwen } from './known/qwen.ts';
import type { AgentProfile } from './profile.ts';
import { parseUserProfile } from './user-profile.ts';

export const knownProfiles: readonly AgentProfile[] = [claude, codex, opencode, gemini, qwen, kimi, aider, shell];

const otherNames: Readonly<Record<string, string>> = {
  open_code: 'opencode',
  claude_code: 'claude',
  'claude-code': 'claude',
};

/** The tables `[agents.NAME]` of the config. */
export type AgentTables = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Returns the profile of an agent by its name, with what the config says of it on top; the error says what is wrong and which there are. */
export function findProfile(name: string, tables: AgentTables): Result<AgentProfile, string> {
  const meant = otherNames[name] ?? name;
  const known = knownProfiles.find((profile) => profile.name === meant) ?? null;
  const table = tables[name] ?? tables[meant];
  if (table !== undefined) return parseUserProfile(meant, table, known);
  if (known !== null) return ok(known);
  const names = [...knownProfiles.map((profile) => profile.name), ...Object.keys(tables)];
  const near = nearest(name, names);
  return err(
    `unknown agent "${name}"${near === null ? '' : `, did you mean "${near}"?`} There are: ${names.join(', ')}; define it as [agents.${name}] in the config`,
  );
}
