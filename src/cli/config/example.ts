import type { Command } from 'commander';

export function command(into: Command): Command {
  return into.action(async () => {
    const { renderExample } = await import('../../config/example.ts');
    process.stdout.write(renderExample());
  });
}
