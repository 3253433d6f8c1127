import type { Command } from 'commander';
import { readBridgePid } from '../../bridge/start.ts';
import { fingerprintOf } from '../../domain/fleet/did.ts';
import { nodeName } from '../../federation/detect/detect.ts';
import { readIdentity } from '../../federation/identity.ts';
import { readNodePid } from '../../federation/node/serve.ts';
import { listNodeRuns, listOpenWork } from '../../storage/node-work.ts';
import { listNodes, readDraining } from '../../storage/nodes.ts';
import { listTickets } from '../../storage/tickets.ts';
import { listTrust } from '../../storage/trust.ts';
import { home, openDatabase, print, printJson, readConfig } from '../context.ts';
import { findAccount } from '../matrix/context.ts';

export function command(into: Command): Command {
  return into.option('--json', 'print JSON').action(async (options: { readonly json?: true }) => {
    const status = await readStatus();
    if (options.json) printJson(status);
    else print(render(status));
  });
}

async function readStatus() {
  const { config } = await readConfig();
  const did = readIdentity(home())?.did ?? null;
  const db = await openDatabase();
  // Of what was told only the receipt is missing.
  const work = db === null ? [] : listOpenWork(db).filter(({ state }) => state.kind !== 'told');
  const trusted = db === null ? [] : listTrust(db);
  const status = {
    node: nodeName(config),
    did,
    fingerprint: did === null ? null : fingerprintOf(did),
    user_id: findAccount()?.userId ?? null,
    pid: readNodePid(home()),
    bridge_pid: readBridgePid(home()),
    draining: db !== null && readDraining(db),
    slots: config.node.max_sessions,
    work: work.map(({ session, run, task, attempt, epoch, state }) => {
      return { session_id: session, run_id: run, task_id: task, attempt, epoch, state: state.kind };
    }),
    runs: (db === null ? [] : listNodeRuns(db)).map(({ run, room, coordinator, epoch }) => {
      return { run_id: run, room_id: room, coordinator: coordinator.did, user_id: coordinator.userId, epoch };
    }),
    heard_of: db === null ? 0 : listNodes(db).filter(({ node }) => node.facts.did !== did).length,
    trusted: {
      workers: trusted.filter(({ roles }) => roles.includes('worker')).length,
      coordinators: trusted.filter(({ roles }) => roles.includes('coordinator')).length,
    },
    tickets: (db === null ? [] : listTickets(db, 'taken')).map(({ peer, settledAt, room }) => {
      return { from: peer, room_id: room, welcomed: settledAt !== null };
    }),
  };
  db?.close();
  return status;
}

function render(status: Awaited<ReturnType<typeof readStatus>>): string[] {
  const { pid, did, work, trusted } = status;
  return [
    pid === null ? 'no node runs here: cis node start' : `runs, process ${pid}${status.draining ? ', draining' : ''}`,
    `node     ${status.node}${did === null ? ' (no keys yet: cis node id makes them)' : `  ${did}`}`,
    ...(status.fingerprint === null ? [] : [`         ${status.fingerprint}`]),
    `account  ${status.user_id ?? 'not logged in (cis matrix login, or cis node join TICKET)'}`,
    `bridge   ${status.bridge_pid === null ? 'not running' : `runs, process ${status.bridge_pid}`}`,
    `trusts   ${trusted.workers} workers, ${trusted.coordinators} coordinators; ${status.heard_of} other nodes were heard of (cis node list)`,
    ...status.tickets
      .filter(({ welcomed }) => !welcomed)
      .map(
        ({ from }) =>
          `ticket   ${from ?? ''} has not answered yet: does \`cis node start\` or \`cis node invite\` run there?`,
      ),
    ...status.runs.map(({ run_id, coordinator }) => `run      ${run_id}, of ${coordinator}`),
    `work     ${work.length === 0 ? 'none' : `${work.length} of ${status.slots} slots`}`,
    ...work.map(({ session_id, state }) => `         ${session_id}  ${state}`),
  ];
}
