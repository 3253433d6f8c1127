import type { Repository } from '../../domain/workspace.ts';
import { inRepository } from '../../worktree/tree.ts';

/** A commit that others can have from a url. */
export interface Published {
  readonly url: string;
  readonly commit: string;
}

/** Finds the commit that a run was made from in a remote of the repository, by what was last fetched from or pushed to it. */
export async function findPublished(repository: Repository): Promise<Published | null> {
  const format = '--format=%(refname:lstrip=2)';
  const found = await inRepository(repository, ['for-each-ref', format, '--contains', repository.base, 'refs/remotes']);
  if (!found.ok) return null;
  const remotes = new Set(found.value.split('\n').flatMap((name) => (name === '' ? [] : (name.split('/')[0] ?? []))));
  for (const remote of remotes) {
    const url = await inRepository(repository, ['remote', 'get-url', remote]);
    const clean = url.ok ? publicUrl(url.value.trim()) : null;
    if (clean !== null) return { url: clean, commit: repository.base };
  }
  return null;
}

/**
 * A url that another machine may be told: one of a protocol that leaves the machine, without the user's password in it. Each node
 * uses its own credentials.
 */
export function publicUrl(url: string): string | null {
  if (/^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s-][^\s]*$/.test(url)) return url; // git@host:path
  try {
    const parsed = new URL(url);
    if (!['https:', 'http:', 'ssh:', 'git:'].includes(parsed.protocol)) return null;
    parsed.password = '';
    if (parsed.protocol !== 'ssh:') parsed.username = '';
    return parsed.href;
  } catch {
    return null;
  }
}
