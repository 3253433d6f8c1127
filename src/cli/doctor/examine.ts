import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeConfigProblem } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import { loadConfig } from '../../config/load.ts';
import { version } from '../../host/version.ts';
import { findAgents } from './agents.ts';
import { examineSocket } from './socket.ts';
import { tryPty } from './pty.ts';

/** One thing that was looked at: `note` is no fault, but worth knowing. */
export interface Finding {
  readonly name: string;
  readonly state: 'good' | 'note' | 'broken';
  readonly said: string;
  readonly hint?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Looks at everything that cis needs. It makes nothing and changes nothing. */
export async function examine(home: Home, env: Env): Promise<Finding[]> {
  const findings = [
    { name: 'cis', state: 'good', said: version } as const,
    examineNode(),
    await tryPty(),
    examineHome(home),
    examineDisk(home),
    examineSocket(home, env),
    await examineDatabase(home),
    await examineConfig(home, env),
    examineTerminal(env),
  ];
  return [...findings, ...(await findAgents())];
}

function examineNode(): Finding {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const isNew = major > 22 || (major === 22 && minor >= 12);
  const where = `${node} at ${process.execPath}`;
  return isNew
    ? { name: 'node', state: 'good', said: where }
    : { name: 'node', state: 'broken', said: where, hint: 'cis needs Node 22.12: npm ci brings 24' };
}

function examineHome(home: Home): Finding {
  const name = 'home';
  if (!existsSync(home.dir)) {
    return isWritable(nearestThere(home.dir))
      ? { name, state: 'good', said: `${home.dir} (made by the first run)` }
      : {
          name,
          state: 'broken',
          said: `${home.dir} cannot be made`,
          hint: 'set CIS_HOME to a directory that can be written',
        };
  }
  if (!statSync(home.dir).isDirectory()) {
    return { name, state: 'broken', said: `${home.dir} is not a directory`, hint: 'set CIS_HOME to a directory' };
  }
  if (!isWritable(home.dir)) {
    return {
      name,
      state: 'broken',
      said: `${home.dir} cannot be written`,
      hint: 'check who owns it, or set CIS_HOME to another',
    };
  }
  const others = statSync(home.dir).mode & 0o077;
  if (others !== 0)
    return { name, state: 'note', said: `${home.dir} can be read by others`, hint: `chmod 700 ${home.dir}` };
  return { name, state: 'good', said: home.dir };
}

const scarceBytes = 200 * 1024 * 1024;

function examineDisk(home: Home): Finding {
  const { bavail, bsize } = statfsSync(nearestThere(home.dir));
  const free = bavail * bsize;
  const said = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  if (free > scarceBytes) return { name: 'disk', state: 'good', said };
  return { name: 'disk', state: 'broken', said, hint: 'recordings need space: cis dag prune gives some back' };
}

async function examineDatabase(home: Home): Promise<Finding> {
  const name = 'database';
  const { openStorageToRead, describeStorageError } = await import('../../storage/open.ts');
  try {
    const opened = openStorageToRead(home.database);
    if (!opened.ok && opened.error.kind === 'missing') return { name, state: 'good', said: 'none yet' };
    if (!opened.ok) return { name, state: 'broken', said: describeStorageError(opened.error) };
    const verdict = String(opened.value.pragma('quick_check(1)', { simple: true }));
    opened.value.close();
    if (verdict === 'ok')
      return { name, state: 'good', said: `whole, ${(statSync(home.database).size / 1024 ** 2).toFixed(1)} MiB` };
    return {
      name,
      state: 'broken',
      said: `${home.database} is damaged: ${verdict}`,
      hint: 'move it away to start afresh, or restore a copy',
    };
  } catch (error) {
    return { name, state: 'broken', said: `${home.database}: ${(error as Error).message}` };
  }
}

async function examineConfig(home: Home, env: Env): Promise<Finding> {
  const loaded = await loadConfig({ env, cwd: process.cwd(), home });
  if (loaded.ok)
    return { name: 'config', state: 'good', said: existsSync(home.config) ? home.config : 'none, defaults hold' };
  const [first = '', ...more] = loaded.error.map(describeConfigProblem);
  return {
    name: 'config',
    state: 'broken',
    said: first,
    ...(more.length > 0 ? { hint: `and ${more.length} more: cis config show` } : {}),
  };
}

function examineTerminal(env: Env): Finding {
  const name = 'terminal';
  if (!process.stdout.isTTY) return { name, state: 'note', said: 'none here: runs are shown as plain lines' };
  const term = env['TERM'] ?? '';
  if (term === '' || term === 'dumb')
    return { name, state: 'note', said: `TERM is "${term}": runs are shown as plain lines` };
  return { name, state: 'good', said: `${term}, ${process.stdout.columns} × ${process.stdout.rows}` };
}

/** The nearest directory upwards that is there. */
function nearestThere(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestThere(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
