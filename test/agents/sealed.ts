import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cache } from './programs.ts';

const root = join(import.meta.dirname, '..', '..');

/** What of the repository a run reads; a copy of it lies over it while the run goes on, so that nobody's work changes it under way. */
export const frozen = ['dist', 'src', 'test'] as const;

/**
 * Runs a command where no network but an own loopback exists and `/home` is an empty directory of its own, so that agents
 * reach nothing but the endpoint beside them and leave no path of this machine on their screens. Processes that detach
 * themselves (Codex has a background server) end with it. `copy` holds the directories of `frozen`. Linux with user namespaces.
 */
export function runSealed(command: readonly string[], copy: string | null = null): number {
  const inside = [
    'ip link set lo up',
    'mount -t tmpfs -o mode=755 tmpfs /home',
    'mount -t tmpfs tmpfs /tmp',
    'hostname devbox',
    'mkdir -p /home/dev/project',
    ...(copy === null ? [] : frozen.map((dir) => `mount --bind "$CIS_COPY/${dir}" "$CIS_ROOT/${dir}"`)),
    'mount --bind "$CIS_TEST_AGENTS" /mnt',
    'export CIS_TEST_AGENTS=/mnt',
    'exec "$@"',
  ].join(' && ');
  const args = ['-Urmnupf', '--kill-child', '--mount-proc', 'sh', '-c', inside, 'sealed', ...command];
  return (
    spawnSync('unshare', args, {
      stdio: 'inherit',
      env: { ...process.env, CIS_SEALED: '1', CIS_TEST_AGENTS: cache, CIS_ROOT: root, CIS_COPY: copy ?? '' },
    }).status ?? 1
  );
}

export function sealable(): boolean {
  return (
    spawnSync(
      'unshare',
      ['-Urmnupf', '--kill-child', '--mount-proc', 'sh', '-c', 'ip link set lo up && mount -t tmpfs tmpfs /mnt'],
      { stdio: 'ignore' },
    ).status === 0
  );
}
