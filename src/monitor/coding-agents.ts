/** Coding agents whose conversations are told apart from a plain program's output. */
export const codingAgents = [
  'claude',
  'codex',
  'opencode',
  'gemini',
  'qwen',
  'kimi',
  'aider',
  'cursor',
  'copilot',
  'amp',
  'goose',
  'crush',
  'droid',
  'pi',
  'plandex',
  'cline',
  'kilo',
  'kiro',
  'amazonq',
  'auggie',
  'grok',
  'devin',
  'antigravity',
  'hermes',
  'openhands',
  'roo',
  'continue',
  'warp',
  'iflow',
  'codebuddy',
] as const;

/** Other names under which the programs run. */
export const aliases: Readonly<Record<string, string>> = {
  'claude-code': 'claude',
  claudecode: 'claude',
  'openai-codex': 'codex',
  'open-code': 'opencode',
  'gemini-cli': 'gemini',
  'qwen-code': 'qwen',
  'kimi-cli': 'kimi',
  'kimi-code': 'kimi',
  'cursor-agent': 'cursor',
  'github-copilot': 'copilot',
  'copilot-cli': 'copilot',
  ghcs: 'copilot',
  'pi-coding-agent': 'pi',
  'pi-agent': 'pi',
  'factory-droid': 'droid',
  'cline-cli': 'cline',
  'kilo-code': 'kilo',
  'kiro-cli': 'kiro',
  q: 'amazonq',
  'amazon-q': 'amazonq',
  'amp-code': 'amp',
  sourcegraph: 'amp',
  pdx: 'plandex',
  agy: 'antigravity',
  'grok-build': 'grok',
  'goose-cli': 'goose',
};

export const agentNames: ReadonlySet<string> = new Set([...codingAgents, ...Object.keys(aliases)]);

const coding: ReadonlySet<string> = new Set(codingAgents);

/** Whether a name, as `nameOf` gives it, is one of them. */
export function isCodingAgent(name: string): boolean {
  return coding.has(name);
}

/** The name under which an agent's rules are known, however it is written: `Claude Code`, `claude_code`, `/usr/bin/claude`. */
export function nameOf(agent: string | undefined): string | undefined {
  if (agent === undefined) return undefined;
  const base = agent.trim().toLowerCase().split('/').at(-1) ?? '';
  const name = base.replace(/\.(?:exe|cmd|js|mjs)$/u, '').replaceAll(/[\s_]+/gu, '-');
  const known = aliases[name] ?? name;
  if (coding.has(known)) return known;
  const bare = known.replace(/-(?:cli|code|agent|tui)$/u, '');
  return coding.has(bare) ? bare : (aliases[bare] ?? known);
}
