import type { Command } from 'commander';
import type { NodeVerdict, Placing } from '../../domain/fleet/place.ts';
import type { Explanation } from '../../federation/coordinator/explain.ts';
import type { RunMode } from '../../domain/run.ts';
import type { LeaseRow } from '../../storage/fleet-leases.ts';
import { readNode } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns, readRunSettings } from '../../storage/read.ts';
import { home, print, printJson } from '../context.ts';
import { CommandError } from '../exit.ts';
import { openTask, type WishOptions } from './wish.ts';

export function command(into: Command): Command {
  return into
    .argument('<run:task>', 'the task; each part may be the beginning of it')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nFor runs in matrix mode, where they are coordinated. It is asked anew, as the nodes stand now.',
    )
    .action(explain);
}

async function explain(text: string, { json }: WishOptions): Promise<void> {
  const { db, run, task } = await openTask(text);
  const settings = readRunSettings(db, run);
  const { explainTask } = await import('../../federation/coordinator/explain.ts');
  const { openIdentity } = await import('../../federation/identity.ts');
  const explained = settings === null ? null : explainTask(db, settings, task, openIdentity(home()).did, Date.now());
  if (explained === null) throw new CommandError('not-found', `run ${run} has no task ${task}`);
  const mode = findRuns(db, run).find((row) => row.run === run)?.mode ?? 'local';
  const where = nameOfHolder(db, explained.lease);
  db.close();
  if (json) printJson(toJson(`${run}:${task}`, mode, where, explained));
  else print(render(`${run}:${task}`, mode, where, explained));
}

function nameOfHolder(db: Db, lease: LeaseRow | null): string | null {
  const did = lease !== null && 'did' in lease.state ? lease.state.did : null;
  return did === null ? null : (readNode(db, did)?.node.facts.node ?? did);
}

const leaseWords = {
  queued: 'waits for a node',
  offered: 'is offered to all nodes',
  given: 'was given to',
  fetching: 'ended, and its files come from',
  lost: 'is lost with the silent',
  over: 'ran on',
} as const satisfies Record<LeaseRow['state']['kind'], string>;

function render(id: string, mode: RunMode, where: string | null, { lease, placing }: Explanation): string[] {
  const state = lease === null ? 'has not come to a node yet' : leaseWords[lease.state.kind];
  return [
    ...(mode === 'matrix'
      ? [`${id} ${state}${where === null ? '' : ` ${where}`}`]
      : [`${id} runs here: the run is in ${mode} mode. In matrix mode:`]),
    `as things stand it would ${placingWords(placing)}`,
    ...placing.verdicts.toSorted(byRank).flatMap((verdict) => ['', ...renderVerdict(verdict)]),
  ];
}

function placingWords(placing: Placing): string {
  switch (placing.kind) {
    case 'placed': {
      const node = placing.verdicts.find(({ did }) => did === placing.did)?.node ?? placing.did;
      return `go to ${node}${placing.insteadOf === null ? '' : ` (${placing.insteadOf})`}`;
    }
    case 'wait':
      return 'wait: no node that fits has room';
    case 'nowhere':
      return placing.verdicts.length === 0 ? 'go nowhere: no node is known' : 'go nowhere: no node fits';
  }
}

const ranks = { chosen: 0, fits: 1, busy: 2, unfit: 3 } as const satisfies Record<NodeVerdict['kind'], number>;

function byRank(a: NodeVerdict, b: NodeVerdict): number {
  return ranks[a.kind] - ranks[b.kind] || b.score - a.score || (a.node < b.node ? -1 : 1);
}

const verdictWords = { chosen: 'yes', fits: 'would do', busy: 'not now', unfit: 'no' } as const satisfies Record<
  NodeVerdict['kind'],
  string
>;

function renderVerdict({ node, did, kind, score, parts, reasons }: NodeVerdict): string[] {
  const points = parts.length === 0 ? '' : `, ${score} points`;
  return [
    `${node}: ${verdictWords[kind]}${points}  ${did}`,
    ...reasons.map((reason) => `    ${reason}`),
    ...parts.map(({ points: each, why }) => `    ${String(each).padStart(4)}  ${why}`),
  ];
}

function toJson(id: string, mode: RunMode, where: string | null, { lease, placing }: Explanation): object {
  const { kind, verdicts } = placing;
  return {
    task: id,
    mode,
    state: lease?.state.kind ?? null,
    attempt: lease?.attempt ?? null,
    epoch: lease?.epoch ?? null,
    node: where,
    would: kind,
    chosen: placing.kind === 'placed' ? placing.did : null,
    instead_of: placing.kind === 'placed' ? placing.insteadOf : null,
    reason: placing.kind === 'placed' ? null : placing.reason,
    nodes: verdicts.toSorted(byRank),
  };
}
