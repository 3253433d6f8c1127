import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDevice, type Connection } from '../../src/bridge/connect.ts';
import type { Result } from '../../src/domain/result.ts';
import type { RateLimit } from '../../src/domain/room.ts';
import { liftRateLimit, registerUser } from '../../src/matrix/homeserver/admin.ts';
import { installSynapse, isInstalled, synapseVersion, type Engine } from '../../src/matrix/homeserver/install.ts';
import { startSynapse, stopSynapse } from '../../src/matrix/homeserver/synapse.ts';
import type { JsonObject } from '../../src/matrix/http.ts';
import { matrixFiles, writeAccount, type Account } from '../../src/matrix/secrets.ts';
import { readDevice, writeDevice } from '../../src/storage/device.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';

/** A real Synapse of a test file's own. `pip install` runs once per machine, outside of the repository. */
export interface TestHomeserver {
  readonly url: string;
  readonly dir: string;
  /** A new user with lifted limits, unless `limited`. */
  user(name: string, options?: { readonly limited?: boolean }): Promise<Account>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How long the first start may take where nothing is cached yet. */
export const installTimeoutMs = 900_000;

export async function startTestHomeserver(extra: JsonObject = {}, port?: number): Promise<TestHomeserver> {
  const engine = await sharedEngine();
  const dir = mkdtempSync(join(tmpdir(), 'cis-homeserver-'));
  const options = { dir, engine, extra, ...(port === undefined ? {} : { port }) };
  const boot = async (): Promise<string> => must(await startSynapse(options)).url;
  const url = await boot();
  const secret = must(await startSynapse(options)).state.registrationSecret;
  const admin = must(await registerUser(url, secret, { name: 'root', password: 'root-password', admin: true }));
  return {
    url,
    dir,
    async user(name, options) {
      const account = must(await registerUser(url, secret, { name, password: `${name}-password`, admin: false }));
      if (options?.limited !== true) must(await liftRateLimit(admin, account.userId));
      return account;
    },
    async stop(signal) {
      await stopSynapse(dir, signal);
    },
    async start() {
      await boot();
    },
    async [Symbol.asyncDispose]() {
      await stopSynapse(dir, 'SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** One home with one device. */
export interface TestDevice extends Connection, AsyncDisposable {
  readonly account: Account;
  readonly db: Db;
  readonly home: string;
}

export async function openTestDevice(account: Account, options: DeviceOptions = {}): Promise<TestDevice> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'cis-device-'));
  const files = matrixFiles(home);
  writeAccount(files, account);
  const db = must(openStorage(join(home, 'cis.db')));
  if (readDevice(db) === null) {
    writeDevice(db, { ...account, txnPrefix: `t${process.pid}`, limit: options.limit ?? null });
  }
  const connection = must(await connectDevice(files, account, db));
  return {
    ...connection,
    account,
    db,
    home,
    async [Symbol.asyncDispose]() {
      await connection.transport.close();
      db.close();
    },
  };
}

export interface DeviceOptions {
  readonly home?: string;
  readonly limit?: RateLimit | null;
}

/** The value, or the test ends with what went wrong. */
export function must<T, E>(result: Result<T, E>): T {
  if (result.ok) return result.value;
  throw new Error(`unexpected failure: ${JSON.stringify(result.error)}`);
}

/** Where this machine keeps Synapse for the tests. */
export function sharedInstall(): string {
  const cache = process.env['CIS_TEST_CACHE'] ?? join(homedir(), '.cache', 'cis-test');
  return join(cache, `synapse-${synapseVersion}`);
}

export async function sharedEngine(): Promise<Engine> {
  const dir = sharedInstall();
  mkdirSync(dirname(dir), { recursive: true });
  const lock = `${dir}.lock`;
  const isMine = isInstalled(dir) || tryLock(lock);
  // Another test file installs: its mark is what is waited for.
  while (!isMine && !isInstalled(dir)) await sleep(500);
  try {
    return must(await installSynapse(dir, (line) => process.stderr.write(`${line}\n`)));
  } finally {
    if (isMine) rmSync(lock, { recursive: true, force: true });
  }
}

function tryLock(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
}
