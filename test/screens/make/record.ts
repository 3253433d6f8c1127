import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openTerminal } from '../../support/terminal.ts';
import { playSteps, savePoints } from '../../agents/recorder.ts';
import { asking, type Scene } from './asking.ts';
import { firstStarts } from './first-starts.ts';
import { quiet } from './quiet.ts';

// Usage: node test/screens/make/record.ts [NAME-PREFIX…]   as root, on Linux
// Records ordinary commands in a terminal: those that wait for a person, and look-alikes that do not. They run in a world of
// their own (no network but loopback, an empty /home), so nothing of this machine gets onto a screen.

const screens = join(import.meta.dirname, '..', 'commands');

async function record(scene: Scene): Promise<void> {
  const { name, setup, run, steps, as = 'dev', cols = 80, rows = 24 } = scene;
  rmSync('/home/dev', { recursive: true, force: true });
  mkdirSync('/home/dev/project', { recursive: true });
  const env = {
    HOME: as === 'root' && scene.agent === undefined ? '/root' : '/home/dev', USER: as, LOGNAME: as, TERM: 'xterm-256color', LANG: 'C.UTF-8',
    PATH: `${process.env['CIS_SCREEN_TOOLS'] ?? '/nowhere'}:${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`, GIT_PAGER: '', PAGER: 'less', HISTFILE: '/dev/null',
    GIT_CONFIG_COUNT: '2', GIT_CONFIG_KEY_0: 'user.name', GIT_CONFIG_VALUE_0: 'Dev', GIT_CONFIG_KEY_1: 'user.email', GIT_CONFIG_VALUE_1: 'dev@devbox',
    ...scene.env,
  };
  const cwd = '/home/dev/project';
  execFileSync('chown', ['-R', 'dev:dev', '/home/dev']);
  const lowered = as === 'root' ? [] : ['runuser', '-u', as, '--'];
  if (setup !== undefined) spawnSync([...lowered, 'bash', '-c', setup].shift() ?? 'bash', [...lowered, 'bash', '-c', setup].slice(1), { cwd, env, stdio: 'ignore' });
  const argv = [...lowered, 'bash', '-c', run];
  using terminal = openTerminal({ file: argv[0] ?? 'bash', args: argv.slice(1), cwd, env, cols, rows });
  try {
    const points = await playSteps(terminal, steps);
    terminal.saveCast(join(screens, `${name}.cast`), name);
    savePoints(screens, name, { agent: scene.agent ?? 'shell', version: scene.version ?? '', cols, rows, points });
    console.log(`ok   ${name} ${points.map((point) => point.kind ?? point.state).join(' ')}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${(error as Error).message.slice(0, 1500)}`);
  }
}

if (process.env['CIS_SEALED'] === undefined) {
  spawnSync('useradd', ['-M', '-d', '/home/dev', '-s', '/bin/bash', 'dev'], { stdio: 'ignore' });
  spawnSync('chpasswd', { input: 'dev:correct horse\n' });
  const inside = 'ip link set lo up && mount -t tmpfs -o mode=755 tmpfs /home && { test -n "$CIS_SCREEN_TOOLS" || mount -t tmpfs -o mode=1777 tmpfs /tmp; } && hostname devbox && exec "$@"';
  const args = ['-mnupf', '--kill-child', '--mount-proc', 'sh', '-c', inside, 'sealed', process.execPath, import.meta.filename, ...process.argv.slice(2)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env: { ...process.env, CIS_SEALED: '1' } }).status ?? 1;
} else {
  mkdirSync(screens, { recursive: true });
  const prefixes = process.argv.slice(2);
  const isHere = (scene: Scene): boolean => (scene.agent !== undefined) === (process.env['CIS_SCREEN_TOOLS'] !== undefined);
  for (const scene of [...asking, ...quiet, ...firstStarts].filter(isHere)) {
    if (prefixes.length === 0 || prefixes.some((prefix) => scene.name.startsWith(prefix))) await record(scene);
  }
  process.exit();
}
