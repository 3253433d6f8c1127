import { Argument, type Command } from 'commander';
import { scripts } from './completion-scripts.ts';

export function command(into: Command): Command {
  return into
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      `
bash: source <(cis completion bash)              in ~/.bashrc
zsh:  source <(cis completion zsh)               in ~/.zshrc, after compinit
fish: cis completion fish | source               in ~/.config/fish/config.fish`,
    )
    .action((shell: string) => {
      process.stdout.write(scripts[shell as keyof typeof scripts]);
    });
}
