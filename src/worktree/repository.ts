import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Repository } from '../domain/workspace.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { git, splitNul, type GitError } from './git.ts';

const instead = 'or use workspace = "shared"';

/** Finds the repository of a directory and its HEAD; an error says why no worktree can be made there, and what to do. */
export async function findRepository(workDir: string): Promise<Result<Repository, string>> {
  if (statSync(workDir, { throwIfNoEntry: false })?.isDirectory() !== true)
    return err(`the directory ${workDir} does not exist`);
  const cwd = realpathSync(workDir);
  const found = await git(['rev-parse', '--is-bare-repository', '--is-inside-work-tree', '--git-common-dir'], { cwd });
  if (!found.ok) return err(notFound(workDir, found.error));
  const [bare = '', inside = '', common = ''] = found.value.split('\n');
  if (bare === 'true')
    return err(`${workDir} is a bare git repository, without files to work on: clone it, ${instead}`);
  if (inside !== 'true') return err(`${workDir} lies inside a .git directory: set work_dir to the repository itself`);
  const place = await git(['rev-parse', '--show-toplevel', '--show-prefix'], { cwd });
  if (!place.ok) return err(`git cannot read ${workDir}: ${place.error.said}`);
  const [root = '', prefix = ''] = place.value.split('\n');
  const head = await git(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { cwd });
  if (!head.ok) return err(`${root} has no commit yet, and a worktree starts from one: commit something, ${instead}`);
  const modules = await submodulesOf(root);
  if (modules.length > 0) {
    return err(
      `${root} has submodules (${modules.join(', ')}), which stay empty in a worktree: use workspace = "shared"`,
    );
  }
  const gitDir = realpathSync(resolve(cwd, common));
  return ok({ workDir, root, gitDir, prefix: prefix.replace(/\/$/, ''), base: head.value.trim() });
}

function notFound(workDir: string, error: GitError): string {
  if (error.kind === 'missing') return error.said;
  if (/not a git repository/i.test(error.said)) {
    return `${workDir} is not in a git repository, which workspace = "worktree" needs: run git init there and commit, ${instead}`;
  }
  return `git cannot read ${workDir}: ${error.said}`;
}

/** Links to other repositories in HEAD (mode 160000). */
async function submodulesOf(root: string): Promise<string[]> {
  const listed = await git(['ls-files', '-z', '--stage'], { cwd: root });
  if (!listed.ok) return [];
  return splitNul(listed.value).flatMap((line) =>
    line.startsWith('160000 ') ? [line.slice(line.indexOf('\t') + 1)] : [],
  );
}
