import type { Home } from '../../config/home.ts';
import type { RunId } from '../../domain/ids.ts';
import { readBridgePid, startBridge } from '../../bridge/start.ts';
import { countWaiting, hasFiles, lastSeq, readBridgeRun } from '../../storage/bridge.ts';
import { readDevice } from '../../storage/device.ts';
import type { Db } from '../../storage/open.ts';
import { watchCommits } from '../../storage/tail.ts';
import { CommandError } from '../exit.ts';

/** How long it waits before it says what it waits for, and how often it looks whether the bridge lives. */
const lookEveryMs = 2000;

/** Waits until the room has everything of a run; Ctrl-C ends the waiting, not the sending. */
export async function flushRun(home: Home, db: Db, run: RunId): Promise<void> {
  if (hasAll(db, run)) return;
  let starts = 0;
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const watching = watchCommits(db, home.database, check);
    const timer = setInterval(lookAfter, lookEveryMs);
    function end(): void {
      watching[Symbol.dispose]();
      clearInterval(timer);
    }
    function check(): void {
      if (!hasAll(db, run)) return;
      end();
      resolve();
    }
    function lookAfter(): void {
      check();
      const problem = readBridgeRun(db, run)?.problem ?? readDevice(db)?.lastError ?? null;
      const line = `cis: waiting for the room${problem === null ? '' : `: ${problem}`}`;
      if (line !== said) process.stderr.write(`${line}\n`);
      said = line;
      if (readBridgePid(home) !== null) return;
      if (starts++ < 2) return startBridge(home);
      end();
      const detail = problem ?? 'see logs/bridge.log of the home';
      reject(
        new CommandError('unreachable', `the room does not have everything: ${detail}`, ['see: cis matrix status']),
      );
    }
  });
}

function hasAll(db: Db, run: RunId): boolean {
  const row = readBridgeRun(db, run);
  if (row === null || row.place === null || countWaiting(db, row.place) > 0 || hasFiles(db, run)) return false;
  return row.closed || row.seq >= lastSeq(db, run);
}
