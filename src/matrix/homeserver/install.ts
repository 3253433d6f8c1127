import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../domain/result.ts';

/** The version the tests run against; another one is another decision. */
export const synapseVersion = '1.160.0';

/** How Synapse can be run on this machine. */
export type Engine =
  | { readonly kind: 'python'; readonly python: string }
  | { readonly kind: 'docker'; readonly image: string };

export type InstallProblem =
  | { readonly kind: 'no-engine'; readonly detail: string }
  | { readonly kind: 'install-failed'; readonly detail: string; readonly log: string };

/** The Python of the environment in `dir`, whether it is there or not. */
function venvPython(dir: string): string {
  return join(dir, 'bin', 'python');
}

/** True when `dir` holds a whole environment; one that was interrupted half-way does not count. */
export function isInstalled(dir: string): boolean {
  return existsSync(join(dir, '.complete'));
}

/**
 * Finds what can run Synapse: the environment in `dir` (made now with `pip`, which takes as long as pip does), else Docker.
 * `say` hears what goes on.
 */
export async function installSynapse(
  dir: string,
  say: (line: string) => void,
): Promise<Result<Engine, InstallProblem>> {
  if (isInstalled(dir)) return ok({ kind: 'python', python: venvPython(dir) });
  const python = await findPython();
  if (python === null) return findDocker();
  say(`installing Synapse ${synapseVersion} with pip into ${dir} (once; some minutes)`);
  const log = `${dir}.log`;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const made = await runLogged(python, ['-m', 'venv', dir], log);
  if (!made) return err({ kind: 'install-failed', detail: `${python} cannot make a virtual environment`, log });
  const pip = [
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    '--no-input',
    `matrix-synapse==${synapseVersion}`,
  ];
  const installed = await runLogged(venvPython(dir), pip, log);
  if (!installed) return err({ kind: 'install-failed', detail: 'pip could not install matrix-synapse', log });
  writeFileSync(`${dir}/.complete.new`, `${synapseVersion}\n`);
  renameSync(`${dir}/.complete.new`, join(dir, '.complete'));
  return ok({ kind: 'python', python: venvPython(dir) });
}

/** Synapse needs 3.10; `-c` also tells a Python without venv or pip, as Debian splits them off. */
async function findPython(): Promise<string | null> {
  const check = 'import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 10) else 1)';
  for (const python of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python']) {
    if (await succeeds(python, ['-c', check])) return python;
  }
  return null;
}

async function findDocker(): Promise<Result<Engine, InstallProblem>> {
  if (await succeeds('docker', ['info']))
    return ok({ kind: 'docker', image: `matrixdotorg/synapse:v${synapseVersion}` });
  return err({
    kind: 'no-engine',
    detail: 'neither Python 3.10 or newer (with venv and pip) nor a running Docker was found',
  });
}

function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
  });
}

async function runLogged(command: string, args: readonly string[], log: string): Promise<boolean> {
  const file = openSync(log, 'a', 0o600);
  try {
    return await new Promise((resolve) => {
      const child = spawn(command, args, { stdio: ['ignore', file, file] });
      child.on('error', () => resolve(false));
      child.on('exit', (code) => resolve(code === 0));
    });
  } finally {
    closeSync(file);
  }
}
