import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatDuration } from '../../domain/duration.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { RunId, TaskId } from '../../domain/ids.ts';
import { describeFailure } from '../../domain/words.ts';
import { leastDiskMb } from '../../federation/detect/machine.ts';
import { addressOf } from '../../federation/remote/reach.ts';
import { isTrusted } from '../../federation/trust.ts';
import { version } from '../../host/version.ts';
import { listNodes, writeLatency, type NodeRow } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { listTrust } from '../../storage/trust.ts';
import { readAttempts, readOutput, readTasks } from '../../storage/read.ts';
import { print, printJson, readConfig } from '../context.ts';
import { CommandError } from '../exit.ts';
import { needAccount, openWriter } from '../matrix/context.ts';
import { needDid, needIdentity } from '../node/context.ts';
import { needFleetRoom } from '../node/facts.ts';
import { medianOf, pingNode } from '../node/reach.ts';
import { refresh } from '../node/refresh.ts';

interface Options {
  readonly room?: string;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('[node...]', 'which nodes; none: every one that is trusted as a worker')
    .option('--room <room>', 'the room they work in (default: that of the config, or of the ticket)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nEach is asked something, and runs one task that does nothing but tell the time. Exit code 1: something is wrong.',
    )
    .action(test);
}

/** What was tried with a node. `problem` null: it is as it should be. */
interface Check {
  readonly what: 'answers' | 'version' | 'disk' | 'task' | 'clock';
  readonly said: string;
  readonly problem: boolean;
}

/** So long the task may take that does nothing; a node on slow limits needs a few events at 0.2 per second. */
const taskLimitMs = 90_000;
/** Clocks that are further apart make logs hard to read. Nothing is decided by them. */
const clockLimitMs = 10_000;

async function test(names: readonly string[], options: Options): Promise<void> {
  const { config } = await readConfig();
  needAccount();
  const own = needIdentity().did;
  const room = await needFleetRoom(options.room, config);
  const db = openWriter();
  await refresh(db, room);
  const wanted = new Set(names.map((name) => needDid(db, name)));
  const rows = listNodes(db).filter(({ node: { facts } }) =>
    wanted.size > 0 ? wanted.has(facts.did) : isTrusted(db, own, facts.did, 'worker'),
  );
  const unheard = listTrust(db).filter(({ did, roles }) => {
    const isMeant = wanted.size > 0 ? wanted.has(did) : roles.includes('worker');
    return isMeant && !rows.some(({ node }) => node.facts.did === did);
  });
  if (rows.length + unheard.length === 0) {
    throw new CommandError('not-found', 'no node to test: none is trusted as a worker, or none was heard of', [
      'cis node list --room ROOM, then cis node trust NODE --as worker',
      'or invite a machine: cis node invite',
    ]);
  }
  const pings = new Map(
    await Promise.all(rows.map(async (row) => [row.node.facts.did, await tryPing(db, row, own)] as const)),
  );
  const there = rows.filter(({ node }) => pings.get(node.facts.did)?.problem === false);
  const tasks = there.length === 0 ? new Map<Did, readonly Check[]>() : await tryTasks(db, there, room);
  db.close();
  const results = rows.map(({ node }) => {
    const { facts, load } = node;
    const ping = pings.get(facts.did);
    const checks = [
      ...(ping === undefined ? [] : [ping]),
      ...staticChecks(facts.version, load.diskFreeMb),
      ...(tasks.get(facts.did) ?? []),
    ];
    return { node: facts.node, did: facts.did, ok: checks.every(({ problem }) => !problem), checks };
  });
  for (const { did, node } of unheard) {
    const check: Check = {
      what: 'answers',
      said: 'it is trusted, and was never heard: has it joined the room?',
      problem: true,
    };
    results.push({ node: node ?? did, did, ok: false, checks: [check] });
  }
  const isWell = results.every(({ ok }) => ok);
  if (options.json) printJson({ ok: isWell, nodes: results });
  else print(results.flatMap(render));
  if (!isWell) process.exitCode = 1;
}

async function tryPing(db: Db, { node: { facts } }: NodeRow, own: Did): Promise<Check> {
  if (facts.did === own) return { what: 'answers', said: 'it is this machine', problem: false };
  const address = addressOf(db, facts.did);
  const answer = address === null ? null : await pingNode(address, 3);
  if (answer === null) return { what: 'answers', said: 'nobody knows where it is', problem: true };
  if (!answer.ok) return { what: 'answers', said: answer.reason, problem: true };
  const ms = medianOf(answer.roundMs);
  writeLatency(db, facts.did, ms);
  return { what: 'answers', said: `there and back in ${Math.round(ms)} ms`, problem: false };
}

function staticChecks(theirs: string, diskFreeMb: number): Check[] {
  const isSame = theirs === version;
  return [
    {
      what: 'version',
      said: isSame ? `cis ${theirs}` : `cis ${theirs}, here is ${version}: upgrade the older one`,
      problem: !isSame,
    },
    { what: 'disk', said: `${diskFreeMb} MB free`, problem: diskFreeMb < leastDiskMb },
  ];
}

/** Runs one task on each node, all at once, as any run does: trust, policy, the way there and the way back are tried by that. */
async function tryTasks(db: Db, rows: readonly NodeRow[], room: string): Promise<ReadonlyMap<Did, readonly Check[]>> {
  const dir = mkdtempSync(join(tmpdir(), 'cis-cluster-test-'));
  const run = `cluster-test-${Date.now().toString(36)}` as RunId;
  const dids = rows.map(({ node }) => node.facts.did);
  const file = join(dir, 'cluster-test.toml');
  writeFileSync(file, testDag(dids));
  const startedAt = Date.now();
  try {
    const said = await cis(
      ['dag', 'run', file, '--matrix', '--room', room, '--run-id', run, '--no-wait', '--json'],
      taskLimitMs,
    );
    if (readTasks(db, run).length === 0) {
      const check: Check = { what: 'task', said: `the run did not start: ${said}`, problem: true };
      return new Map(dids.map((did) => [did, [check]]));
    }
    const endedAt = Date.now();
    return new Map(dids.map((did, index) => [did, taskChecks(db, run, taskName(index), startedAt, endedAt)]));
  } finally {
    rmSync(dir, { recursive: true, force: true });
    await cis(['dag', 'abort', run], 20_000);
    await cis(['dag', 'rm', run], 20_000);
  }
}

function taskName(index: number): TaskId {
  return `node-${index + 1}` as TaskId;
}

function testDag(dids: readonly Did[]): string {
  const tasks = dids.map((did, index) => {
    return `[[dag.tasks]]\nid = "${taskName(index)}"\ncommand = "date +%s"\ntarget_node = "${did}"\nidempotent = true\non_failure = "ignore"\ntimeout_secs = 60\n`;
  });
  return `[dag]\nname = "cluster-test"\n\n${tasks.join('\n')}`;
}

function taskChecks(db: Db, run: RunId, task: TaskId, startedAt: number, endedAt: number): Check[] {
  const row = readTasks(db, run).find((one) => one.task === task);
  const output = readOutput(db, run, task, null)?.text.trim() ?? '';
  const attempt = readAttempts(db, run).findLast((one) => one.task === task);
  if (row?.state.kind !== 'completed' || !/^\d+$/.test(output)) {
    const state = row?.state;
    const why =
      state !== undefined && 'failure' in state ? describeFailure(state.failure) : `it is ${state?.kind ?? 'unknown'}`;
    return [{ what: 'task', said: `no task came to its end there: ${why}`, problem: true }];
  }
  const ms = attempt?.endedAt == null ? null : attempt.endedAt - startedAt;
  const theirs = Number(output) * 1000;
  // Whole seconds, some time between the two: what is beyond them is the difference.
  const offMs = Math.max(0, theirs - endedAt, startedAt - 1_000 - theirs);
  return [
    {
      what: 'task',
      said: `a task ran there and its output came back${ms === null ? '' : `, ${formatDuration(ms)} after the start of the run`}`,
      problem: false,
    },
    {
      what: 'clock',
      said: offMs === 0 ? 'as here' : `${formatDuration(offMs)} ${theirs > endedAt ? 'ahead' : 'behind'}`,
      problem: offMs > clockLimitMs,
    },
  ];
}

/** Runs a command of cis; resolves with its last words on stderr. */
function cis(args: readonly string[], limitMs: number): Promise<string> {
  const child = process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, [process.argv[1] ?? '', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGINT',
    });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(text.trim().split('\n').at(-1) ?? ''));
  });
}

function render({
  node,
  did,
  ok,
  checks,
}: {
  node: string;
  did: Did;
  ok: boolean;
  checks: readonly Check[];
}): string[] {
  return [
    `${ok ? 'ok ' : 'BAD'}  ${node}  ${did}`,
    ...checks.map(({ what, said, problem }) => `     ${problem ? '✗' : '✓'} ${what.padEnd(8)} ${said}`),
  ];
}
