import type { Command } from 'commander';

/** `cis hook AGENT [PAYLOAD]`: the same as what agents are started with, for hooks that a person writes into a configuration. */
export function command(into: Command): Command {
  return into
    .argument('<agent>', 'whose hook it is: claude, codex, opencode, …')
    .argument('[payload]', 'JSON; without it, standard input is read')
    .action(async (agent: string, payload: string | undefined) => {
      const { runHook } = await import('../agents/hook-client.ts');
      await runHook({ agent, argument: payload, stdin: process.stdin, env: process.env });
      process.exit(0);
    });
}
