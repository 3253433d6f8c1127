import { bridgePaths, nodePaths } from '../../bridge/paths.ts';
import { startBridge } from '../../bridge/start.ts';
import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import type { NodeFacts } from '../../domain/fleet/facts.ts';
import { connectHost } from '../../host/client.ts';
import { readLockHolder, takeLock } from '../../host/lock.ts';
import { listOpenWork } from '../../storage/node-work.ts';
import { readDraining } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { watchCommits } from '../../storage/tail.ts';
import { leastDiskMb, measureLoad } from '../detect/machine.ts';
import { heartbeatContent } from '../heartbeat.ts';
import { policyOf } from '../policy.ts';
import { serveRemote } from '../remote/service.ts';
import { pruneTravel } from '../travel/prune.ts';
import { runNode, type NodeWords } from '../runner/run-node.ts';
import { openSpeaker, type Self } from '../speaker.ts';
import type { Courier } from '../travel/courier.ts';
import { openDirectory } from './directory.ts';
import { judgeOrderOf } from './judge.ts';

export interface ServeNodeOptions {
  readonly home: Home;
  readonly db: Db;
  readonly self: Self;
  /** Where machine events go. */
  readonly room: string;
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Looks at the machine; again from time to time: agents are installed and log-ins made while it runs. */
  readonly detect: () => Promise<NodeFacts>;
  readonly courier: Courier;
  readonly mask: (text: string) => string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** It listens from now on. */
  readonly onReady?: () => void;
}

/** Takes a second of CPU. */
const detectEveryMs = 600_000;
/** A bridge that died is started again. */
const bridgeLookMs = 5_000;
/** As in MATRIX.md: so long without a word of its coordinator, and what may be run again is ended. */
const leaseMs = 120_000;
/** The size of the terminal of a session that nobody looks at. */
const unseen = { cols: 120, rows: 40 };

/** Makes this home a node until the signal. False: another process does so already. */
export async function serveNode(options: ServeNodeOptions): Promise<boolean> {
  const { home } = options;
  makePrivateDir(home.run);
  const lock = takeLock(nodePaths(home).lock);
  if (lock === null) return false;
  try {
    await serve(options);
    return true;
  } finally {
    lock[Symbol.dispose]();
  }
}

/** The process that makes this home a node; null: none does. */
export function readNodePid(home: Home): number | null {
  return readLockHolder(nodePaths(home).lock);
}

async function serve(options: ServeNodeOptions): Promise<void> {
  const { home, db, room, self, config, say, signal } = options;
  let facts = await options.detect();
  if (signal.aborted) return;
  const directory = openDirectory({ db, room, self, say });
  const look = (): void => guard(say, 'the room', () => directory.look());
  using _ = watchCommits(db, home.database, look);
  const keepBridge = (): void => {
    if (readLockHolder(bridgePaths(home).lock) === null) guard(say, 'the bridge', () => startBridge(home));
  };
  keepBridge();
  look();
  prune(options).catch((error: unknown) => say(`what runs left behind stays: ${wordsOf(error)}`));
  const timers = [
    setInterval(keepBridge, bridgeLookMs),
    setInterval(() => {
      options.detect().then(
        (found) => (facts = found),
        (error: unknown) => say(`this machine could not be looked at: ${wordsOf(error)}`),
      );
    }, detectEveryMs),
  ];
  const describe = (): NodeWords => wordsFor(options, facts);
  const stop = new AbortController();
  const running = runNode({
    ...options,
    ...unseen,
    tables: config.agents,
    umask: process.umask(),
    maxRecordingBytes: config.host.recording_max_mb * 1024 * 1024,
    answers: config.answers,
    connect: connectHost,
    killGraceMs: config.host.kill_grace_ms,
    hostIdleMs: config.host.idle_exit_secs * 1000,
    leaseMs,
    describe,
    judge: judgeOrderOf(policyOf(config), self.identity.did),
  });
  const answering = serveRemote({
    ...options,
    identity: self.identity,
    policy: policyOf(config),
    takesPasswords: config.nodePolicy.passwords,
    signal: stop.signal,
  });
  options.onReady?.();
  try {
    await running;
  } finally {
    stop.abort();
    await answering;
    for (const timer of timers) clearInterval(timer);
    guard(say, 'the last heartbeat', () => sayGoodbye(options, describe()));
  }
}

/** Runs end elsewhere, and nobody says so for sure: what was not touched for days is given back. */
function prune({ home, db }: ServeNodeOptions): Promise<void> {
  const open = new Set(listOpenWork(db).map(({ run }) => run));
  const day = 24 * 3600_000;
  const before = (days: number): number => Date.now() - days * day;
  return pruneTravel({ home, isOpen: (run) => open.has(run), worktreesBefore: before(7), clonesBefore: before(30) });
}

function wordsFor({ home, db }: ServeNodeOptions, facts: NodeFacts): NodeWords {
  const load = measureLoad(home.dir, 0);
  const full = load.diskFreeMb < leastDiskMb ? [`its disk is full: less than ${leastDiskMb} MB free`] : [];
  return { facts, load, mood: { unable: full, draining: readDraining(db) } };
}

/** Coordinators need not wait for its silence. What runs in its host goes on, and the next start takes it over. */
function sayGoodbye({ db, self, room, say }: ServeNodeOptions, { facts, load, mood }: NodeWords): void {
  const unable = [...mood.unable, 'it was stopped'];
  const heartbeat = { facts, load: { ...load, slotsFree: 0 }, mood: { ...mood, unable }, leases: [] };
  const speaker = openSpeaker(db, self, say);
  db.transaction(() => {
    speaker.say(room, 'machine', 'cis.node.heartbeat', heartbeatContent(heartbeat, Date.now()));
  }).immediate();
}

/** A full disk or a locked database passes: the next round tries again. */
function guard(say: (line: string) => void, what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    say(`${what}: ${wordsOf(error)}`);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
