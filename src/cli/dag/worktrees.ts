import type { Command } from 'commander';
import { renderColumns, type Cell } from '../../ui/columns.ts';
import { lookFor } from '../../ui/style.ts';
import { lookAt, type WorktreeLook } from '../../worktree/look.ts';
import { print, printJson } from '../context.ts';
import { findWorkspaces, type FoundWorkspaces } from './workspaces.ts';

export function command(into: Command): Command {
  return into
    .argument('[run]', 'its id or the beginning of it; default: the run of `dag use`, else the newest')
    .option('--json', 'print JSON')
    .action(async (text: string | undefined, options: { readonly json?: true }) => {
      const found = await findWorkspaces(text);
      const looks = await Promise.all(found.all.map(lookAt));
      if (options.json) return printJson({ run: found.run, worktrees: looks.map((look) => toJson(look, found)) });
      print(looks.length === 0 ? [`no task of run ${found.run} has a worktree`] : render(looks, found));
    });
}

function render(looks: readonly WorktreeLook[], { states }: FoundWorkspaces): string[] {
  const head = ['TASK', 'STATE', 'COMMITS', 'UNCOMMITTED', 'BRANCH', 'PATH'].map((text): Cell => ({
    text,
    tone: 'dim',
  }));
  const rows = looks.flatMap((look): Cell[][] => {
    const { task, branch, path, kept } = look.workspace;
    const row: Cell[] = [
      { text: task, tone: 'bold' },
      { text: states.get(task) ?? '', tone: look.conflicts.length > 0 ? 'ask' : 'plain' },
      { text: String(look.commits), tone: 'plain' },
      { text: describeDirty(look), tone: look.conflicts.length > 0 ? 'ask' : 'plain' },
      { text: look.tip === null ? `${branch} (gone)` : branch, tone: 'plain' },
      { text: look.exists ? path : `${path} (gone)`, tone: 'dim' },
    ];
    const more = kept.map((name): Cell[] => ['', '', '', 'kept', name, ''].map((text) => ({ text, tone: 'dim' })));
    return [row, ...more];
  });
  return renderColumns([head, ...rows], lookFor(process.stdout, process.env), process.stdout.columns ?? Infinity);
}

function describeDirty({ dirty, conflicts }: WorktreeLook): string {
  if (conflicts.length > 0) return `${conflicts.length} in conflict`;
  return dirty.length === 0 ? '-' : `${dirty.length}`;
}

function toJson(
  { workspace, exists, tip, commits, dirty, conflicts }: WorktreeLook,
  { states }: FoundWorkspaces,
): unknown {
  const { task, path, branch, attempt, start, kept, repository } = workspace;
  const state = states.get(task) ?? null;
  const repo = repository.root;
  return {
    task,
    state,
    attempt,
    path,
    exists,
    branch,
    repository: repo,
    base: start,
    tip,
    commits,
    dirty,
    conflicts,
    kept,
  };
}
