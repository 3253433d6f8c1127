import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Home } from '../config/home.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { hostPaths, openPrivateDir } from './paths.ts';
import type { ConnectError } from './port.ts';
import { protocolMajor } from './protocol.ts';

const defaultIdleMs = 60_000;
/** Variables that the host itself has a use for; sessions get theirs from whoever starts them. */
const ownVariables = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'XDG_RUNTIME_DIR', 'TMPDIR', 'NODE_COMPILE_CACHE'];

/**
 * A nursery of 1 MiB and no threads beside it: 11 MB less memory. Flags that change how code is compiled (`--single-threaded`,
 * `--no-opt`) make Node compile its own code at each start, 8 ms (bench/NOTES.md).
 */
const smallEngine = ['--v8-pool-size=0', '--max-semi-space-size=1'];

/** Starts the host of a home in the background; resolves when it can be connected to. It ends after `idleMs` without session and client. */
export async function startHost(
  home: Home,
  major: number = protocolMajor,
  idleMs: number = defaultIdleMs,
): Promise<Result<void, ConnectError>> {
  const paths = hostPaths(home, process.env, major);
  try {
    for (const dir of [home.dir, home.logs, paths.dir]) {
      const foreign = openPrivateDir(dir);
      if (foreign !== null) return err({ kind: 'not-yours', path: dir, uid: foreign.ownedBy });
    }
    const said = await launch(home, major, idleMs, paths.log);
    if (said === 'ready') return ok(undefined);
    if (said.startsWith('{')) return err(JSON.parse(said) as ConnectError);
    return err({ kind: 'did-not-start', detail: said || 'it ended at once', log: paths.log });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return err({ kind: 'did-not-start', detail, log: paths.log });
  }
}

async function launch(home: Home, major: number, idleMs: number, logPath: string): Promise<string> {
  const log = openSync(logPath, 'a', 0o600);
  const program = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './host.js', import.meta.url));
  const env = Object.fromEntries(
    ownVariables.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const child = process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [...smallEngine, program, home.dir, String(major), String(idleMs)], {
      cwd: '/',
      detached: true,
      env,
      stdio: ['ignore', log, log, 'pipe'],
    });
  closeSync(log);
  child.unref();
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  return Promise.race([failed, readAll(child.stdio[3] as Readable)]);
}

async function readAll(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
