import type { RunSettings } from '../../domain/run.ts';

/**
 * Loads what a driver may need only later. A run can take days, and meanwhile cis may be upgraded: the files that this process
 * was started from are then no longer there. Runs that are over in a moment never come here.
 */
export async function loadLate({ dag, mode }: RunSettings): Promise<void> {
  const needed: Promise<unknown>[] = [import('./print-report.ts'), import('./needs.ts')];
  if (mode === 'hybrid') needed.push(import('./flush.ts'));
  if (dag.tasks.some(({ workspace }) => workspace === 'worktree')) {
    needed.push(
      import('../../worktree/prepare.ts'),
      import('../../worktree/tree.ts'),
      import('../../worktree/commit.ts'),
      import('../../worktree/repository.ts'),
    );
  }
  await Promise.allSettled(needed); // who needs it then says what is missing
}
