import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { readNodePid } from '../../federation/node/serve.ts';
import { listOpenWork, type WorkRow } from '../../storage/node-work.ts';
import { readDraining, writeDraining } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { home, print, printJson, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { openWriter } from '../matrix/context.ts';

interface Options {
  readonly wait?: true;
  readonly force?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--wait', 'take nothing new, and wait until what it has is done')
    .option('--force', 'stop with work in hand: its sessions go on, and the next start takes them over')
    .option('--json', 'print JSON')
    .action(stop);
}

async function stop({ wait, force, json }: Options): Promise<void> {
  const pid = readNodePid(home());
  if (pid === null) throw new CommandError('not-found', 'no node runs in this home', ['cis node start']);
  const db = openWriter();
  if (wait) await drained(db, pid);
  const left = working(db);
  db.close();
  if (left.length > 0 && force !== true) {
    throw new CommandError('refused', `the node has work: ${left.map(({ session }) => session).join(', ')}`, [
      'let it finish first: cis node stop --wait',
      'or leave it running without a node: cis node stop --force',
    ]);
  }
  process.kill(pid, 'SIGTERM');
  while (readNodePid(home()) === pid) await sleep(50);
  if (json) printJson({ stopped: pid, left: left.map(({ session }) => session) });
  else print([`stopped: process ${pid}`]);
}

/** Drains, waits until nothing is in hand, and takes the drain back: the next start takes work again. */
async function drained(db: Db, pid: number): Promise<void> {
  const before = readDraining(db);
  const signal = untilInterrupted();
  writeDraining(db, true);
  try {
    while (working(db).length > 0 && readNodePid(home()) === pid && !signal.aborted) await sleep(200);
  } finally {
    if (!before) writeDraining(db, false);
  }
  if (signal.aborted) throw new CommandError('interrupted', 'stopped waiting; the node goes on');
}

/** What it would leave behind: offers are not its own, and of what was told the bridge takes care. */
function working(db: Db): WorkRow[] {
  return listOpenWork(db).filter(({ state }) => state.kind !== 'offered' && state.kind !== 'told');
}
