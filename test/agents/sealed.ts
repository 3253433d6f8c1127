import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cache } from './programs.ts';

const root = join(import.meta.dirname, '..', '..');

/** What of the repository a run reads; a copy of it lies over it while the run goes on, so that nobody's work changes it under way. */
export const frozen = ['dist', 'src', 'test', 'bin', 'package.json'] as const;

/** Runs a command to its end, with what it says shown; its exit code. */
export function start(command: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<number> {
  const [file = '', ...words] = command;
  const child = spawn(file, words, {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, CIS_TEST_AGENTS: cache, ...more },
  });
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}

/**
 * The same command where no network but an own loopback exists and `/home` is an empty directory of its own, so that agents
 * reach nothing but the endpoint beside them and leave no path of this machine on their screens. Processes that detach
 * themselves (Codex has a background server) end with it. `copy` holds the directories of `frozen`. Linux with user namespaces.
 */
export function sealing(command: readonly string[], copy: string | null): string[] {
  const inside = [
    'ip link set lo up',
    'mount -t tmpfs -o mode=755 tmpfs /home',
    'mount -t tmpfs tmpfs /tmp',
    'hostname devbox',
    'mkdir -p /home/dev/project',
    ...(copy === null ? [] : frozen.map((dir) => `mount --bind "${join(copy, dir)}" "${join(root, dir)}"`)),
    'mount --bind "$CIS_TEST_AGENTS" /mnt',
    'export CIS_TEST_AGENTS=/mnt CIS_SEALED=1',
    'exec "$@"',
  ].join(' && ');
  return ['unshare', '-Urmnupf', '--kill-child', '--mount-proc', 'sh', '-c', inside, 'sealed', ...command];
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
