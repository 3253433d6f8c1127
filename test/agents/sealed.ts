import { spawnSync } from 'node:child_process';
import { cache } from './programs.ts';

/**
 * Runs a command where no network but an own loopback exists and `/home` is an empty directory of its own, so that agents
 * reach nothing but the endpoint beside them and leave no path of this machine on their screens. Processes that detach
 * themselves (Codex has a background server) end with it. Linux with user namespaces.
 */
export function runSealed(command: readonly string[]): number {
  const inside = [
    'ip link set lo up',
    'mount -t tmpfs -o mode=755 tmpfs /home',
    'mount -t tmpfs tmpfs /tmp',
    'hostname devbox',
    'mkdir -p /home/dev/project',
    'mount --bind "$CIS_TEST_AGENTS" /mnt',
    'export CIS_TEST_AGENTS=/mnt',
    'exec "$@"',
  ].join(' && ');
  const args = ['-Urmnupf', '--kill-child', '--mount-proc', 'sh', '-c', inside, 'sealed', ...command];
  return (
    spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, CIS_SEALED: '1', CIS_TEST_AGENTS: cache } })
      .status ?? 1
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
