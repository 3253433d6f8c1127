import type { Command } from 'commander';
import { readBridgePid } from '../../bridge/start.ts';
import { breakerRefusal } from '../../domain/fleet/breaker.ts';
import { formatElapsed } from '../../domain/duration.ts';
import { judgeLiveness } from '../../domain/fleet/liveness.ts';
import { isHolderAlive } from '../../executor/identity.ts';
import { readIdentity } from '../../federation/identity.ts';
import { readNodePid } from '../../federation/node/serve.ts';
import { isTrusted } from '../../federation/trust.ts';
import { countLeases } from '../../storage/fleet-leases.ts';
import { readFleetLink } from '../../storage/fleet.ts';
import { listNodes, type NodeRow } from '../../storage/nodes.ts';
import { listUnfinishedRuns, readLease } from '../../storage/read.ts';
import { renderColumns, type Cell } from '../../ui/columns.ts';
import { lookFor } from '../../ui/style.ts';
import { home, openDatabase, print, printJson, readConfig } from '../context.ts';
import { findAccount } from '../matrix/context.ts';
import { findRoom } from '../node/facts.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nWhat this home knows, without asking anybody; cis node list looks in the room, cis cluster test tries.',
    )
    .action(async (options: { readonly json?: true }) => {
      const status = await readStatus();
      if (options.json) printJson(status);
      else print(render(status));
    });
}

async function readStatus() {
  const { config } = await readConfig();
  const db = await openDatabase();
  const now = Date.now();
  const own = readIdentity(home())?.did ?? null;
  const rows = db === null ? [] : listNodes(db);
  const nodes = rows.map((row) => {
    const { did } = row.node.facts;
    const isTrustedHere = db !== null && own !== null && isTrusted(db, own, did, 'worker');
    return { ...nodeWords(row, now), own: did === own, trusted: isTrustedHere };
  });
  const shares = db === null ? [] : countLeases(db);
  const runs = (db === null ? [] : listUnfinishedRuns(db).filter(({ mode }) => mode === 'matrix')).map(
    ({ run, state }) => {
      const lease = db === null ? null : readLease(db, run);
      const { held = 0, waiting = 0 } = shares.find((one) => one.run === run) ?? {};
      return {
        run_id: run,
        state: state.kind,
        driven: lease !== null && isHolderAlive(lease),
        on_nodes: held,
        waiting,
      };
    },
  );
  const usable = nodes.filter((node) => node.trusted && node.alive && node.able && node.willing);
  const status = {
    room: await findRoom(undefined, config),
    user_id: findAccount()?.userId ?? null,
    bridge_pid: readBridgePid(home()),
    hears_since: db === null ? null : readFleetLink(db),
    node_pid: readNodePid(home()),
    nodes,
    runs,
    slots: {
      all: usable.reduce((sum, { slots }) => sum + slots, 0),
      free: usable.reduce((sum, { slots_free }) => sum + slots_free, 0),
    },
  };
  db?.close();
  return status;
}

function nodeWords({ node, breaker }: NodeRow, now: number) {
  const { facts, load } = node;
  const { alive, able, willing, reasons } = judgeLiveness(node, now);
  const refusal = breakerRefusal(breaker, now);
  return {
    node: facts.node,
    did: facts.did,
    version: facts.version,
    tier: facts.tier,
    slots: facts.slots,
    slots_free: load.slotsFree,
    load: load.loadCenti / 100,
    cores: facts.machine.cores,
    latency_ms: node.latencyMs,
    heard_ms_ago: now - node.heardAt,
    alive,
    able,
    willing,
    reasons: refusal === null ? reasons : [...reasons, refusal],
  };
}

type Status = Awaited<ReturnType<typeof readStatus>>;

function render(status: Status): string[] {
  const cell = (text: string): Cell => ({ text, tone: 'plain' });
  const head = ['node', 'slots free', 'load', 'tier', 'latency', 'heard', ''].map((text): Cell => ({
    text,
    tone: 'dim',
  }));
  const rows = status.nodes.map((node) => [
    cell(node.own ? `${node.node} (this)` : node.node),
    cell(`${node.slots_free}/${node.slots}`),
    cell(`${node.load.toFixed(2)}/${node.cores}`),
    cell(String(node.tier)),
    cell(node.latency_ms === null ? '' : `${node.latency_ms} ms`),
    cell(`${formatElapsed(node.heard_ms_ago)} ago`),
    cell([...(node.trusted ? [] : ['not trusted']), ...node.reasons].join('; ')),
  ]);
  const table = renderColumns(
    [head, ...rows],
    lookFor(process.stdout, process.env),
    process.stdout.columns ?? Infinity,
  );
  return [
    `room    ${status.room ?? 'none (cis cluster init)'}`,
    `account ${status.user_id ?? 'not logged in (cis matrix login)'}`,
    `bridge  ${status.bridge_pid === null ? 'not running: nothing is heard now' : status.hears_since === null ? 'runs, and does not hear the homeserver' : 'hears the homeserver'}`,
    `node    ${status.node_pid === null ? 'none runs here (cis node start)' : `runs here, process ${status.node_pid}`}`,
    `slots   ${status.slots.free} of ${status.slots.all} free on trusted nodes that are there`,
    ...status.runs.map(
      (run) =>
        `run     ${run.run_id} ${run.state}, ${run.on_nodes} on nodes, ${run.waiting} waiting${run.driven ? '' : '; nobody drives it'}`,
    ),
    '',
    ...(status.nodes.length === 0 ? ['no node was heard of: cis node list looks in the room'] : table),
  ];
}
