import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { renderExample } from '../config/example.ts';
import { home, print, printJson } from './context.ts';

export function command(into: Command): Command {
  return into
    .argument('[directory]', 'where the DAG file goes', '.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNothing that is there already is changed.')
    .action((directory: string, options: { json?: true }) => {
      const at = home();
      mkdirSync(at.dir, { recursive: true, mode: 0o700 });
      mkdirSync(resolve(directory), { recursive: true });
      const dag = join(resolve(directory), 'dag.toml');
      const files = [
        { path: at.config, made: writeNew(at.config, renderExample(), 0o600) },
        { path: dag, made: writeNew(dag, firstDag, 0o644) },
      ];
      if (options.json) return printJson({ files });
      const name = relative(process.cwd(), dag);
      print([
        ...files.map(({ path, made }) => `${made ? 'made ' : 'found'} ${path}`),
        '',
        'Run it:',
        `  cis dag run ${name}`,
      ]);
    });
}

/** False when the file is there already; it is left as it is. */
function writeNew(path: string, text: string, mode: number): boolean {
  if (existsSync(path)) return false;
  writeFileSync(path, text, { mode, flag: 'wx' });
  return true;
}

const firstDag = `# A first DAG: two tasks at once, then one that reads what they said. Run it with: cis dag run dag.toml
[dag]
name = "first"

[[dag.tasks]]
id = "machine"
command = "uname -sm"

[[dag.tasks]]
id = "people"
command = "echo everybody"

[[dag.tasks]]
id = "greet"
deps = ["machine", "people"]
command = 'echo "hello {{ tasks.people.output }}, this is {{ tasks.machine.output }}"'

# An agent instead of a command:
# [[dag.tasks]]
# id = "explain"
# agent = "claude"
# prompt = "Explain in one sentence what this directory holds."
`;
