import { bridgePaths, nodePaths } from '../../bridge/paths.ts';
import { startBridge } from '../../bridge/start.ts';
import type { Home } from '../../config/home.ts';
import { makePrivateDir } from '../../config/private-dir.ts';
import type { HeldLease, NodeFacts } from '../../domain/fleet/facts.ts';
import { readLockHolder, takeLock } from '../../host/lock.ts';
import type { Db } from '../../storage/open.ts';
import { watchCommits } from '../../storage/tail.ts';
import { openAnnouncer, type Listener } from './announce.ts';
import { openDirectory } from './directory.ts';
import type { TicketSelf } from './join.ts';

/** What the node does for runs, as its heartbeat tells it; it works until the signal. */
export interface NodeWork {
  leases(): readonly HeldLease[];
  /** Coordinators of the runs it has something to do with. */
  listeners(): readonly Listener[];
  /** Resolves when it ended; rejects when it cannot go on. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ServeNodeOptions {
  readonly home: Home;
  readonly db: Db;
  readonly self: TicketSelf;
  /** Where machine events go. */
  readonly room: string;
  /** Looks at the machine again: agents are installed and log-ins made while it runs. */
  readonly detect: () => Promise<NodeFacts | null>;
  readonly work: NodeWork;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** It is heard from now on. */
  readonly onReady?: () => void;
}

/** How often the machine is looked at again. It takes a second of CPU. */
const detectEveryMs = 600_000;

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
  const { home, db, room, work, say } = options;
  let facts = await options.detect();
  if (facts === null) throw new Error('this machine cannot be looked at');
  const stop = new AbortController();
  const end = (): void => stop.abort();
  options.signal.addEventListener('abort', end, { once: true });
  if (options.signal.aborted) end();

  const directory = openDirectory({ db, room, self: options.self, say });
  const announcer = openAnnouncer({
    db,
    room,
    say,
    identity: options.self.identity,
    dir: home.dir,
    facts: () => facts as NodeFacts,
    leases: () => work.leases(),
    listeners: () => work.listeners(),
  });
  const guarded = (what: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      // A full disk or a locked database passes: the next round tries again.
      say(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  let timer: NodeJS.Timeout | null = null;
  const beat = (): void => {
    let next = 15_000;
    guarded('heartbeat', () => {
      if (readLockHolder(bridgePaths(home).lock) === null) startBridge(home);
      next = announcer.beat();
    });
    if (!stop.signal.aborted) timer = setTimeout(beat, next);
  };
  const again = setInterval(() => {
    void options.detect().then((found) => {
      if (found !== null) facts = found;
      guarded('heartbeat', () => announcer.look());
    });
  }, detectEveryMs);
  const commits = watchCommits(db, home.database, () =>
    guarded('look', () => {
      directory.look();
      announcer.look();
    }),
  );
  beat();
  guarded('look', () => directory.look());
  options.onReady?.();
  try {
    await work.run(stop.signal);
  } finally {
    end();
    options.signal.removeEventListener('abort', end);
    commits[Symbol.dispose]();
    clearInterval(again);
    if (timer !== null) clearTimeout(timer);
    guarded('last heartbeat', () => announcer.leave('it was stopped'));
  }
}
