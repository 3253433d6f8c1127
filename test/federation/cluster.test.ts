import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs } from '../support/homeserver.ts';
import type { World } from '../support/world.ts';
import { readDraining } from '../../src/storage/nodes.ts';
import { beginCis, inDatabase, openFleetWorld, seen, type FleetWorld } from './world.ts';

let fleet: FleetWorld;
beforeAll(async () => {
  fleet = await openFleetWorld({
    nodes: 3,
    env: { CIS_NODE_AGENTS: 'none' },
    nodeConfig: (index) => (index === 1 ? '[node.policy]\nallow_commands = ["make *"]\n' : ''),
  });
}, installTimeoutMs);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

async function json(world: World, args: readonly string[]): Promise<{ code: number | null; value: unknown }> {
  const ended = await world.cis([...args, '--json']);
  if (ended.stdout === '') throw new Error(`cis ${args.join(' ')} (${ended.code}): ${ended.stderr}`);
  return { code: ended.code, value: JSON.parse(ended.stdout) };
}

/** Asks until it is so; the test's own time limit is the limit. */
async function until<T>(ask: () => Promise<T>, isSo: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await ask();
    if (isSo(value)) return value;
  }
}

const passed = (what: string) => ({ what, said: expect.any(String) as string, problem: false });

test('nodes are pinged, tried end to end and explained; what is wrong with one is said and ends with exit code 1', async () => {
  const { room, coordinator, nodes } = fleet;
  const [good, strict, dead] = nodes;
  if (good === undefined || strict === undefined || dead === undefined) throw new Error('three nodes are needed');
  for (const node of nodes) await node.start();
  await until(
    () => json(coordinator.world, ['node', 'list', '--room', room]),
    ({ value }) =>
      (value as { nodes: { did: string }[] }).nodes.filter(({ did }) => nodes.some((node) => node.did === did))
        .length === 3,
  );
  await dead.kill('SIGKILL');

  const tried = await json(coordinator.world, ['cluster', 'test', '--room', room]);
  expect(tried.code).toBe(1);
  const { nodes: results } = tried.value as { nodes: { did: string; ok: boolean; checks: object[] }[] };
  const of = (did: string) => results.find((one) => one.did === did);
  expect(of(good.did)).toMatchObject({
    ok: true,
    checks: [passed('answers'), passed('version'), passed('disk'), passed('task'), passed('clock')],
  });
  expect(of(strict.did)).toMatchObject({
    ok: false,
    checks: [
      passed('answers'),
      passed('version'),
      passed('disk'),
      { what: 'task', said: expect.stringContaining('this node does not run `date +%s`') as string, problem: true },
    ],
  });
  expect(of(dead.did)).toMatchObject({
    ok: false,
    checks: [{ what: 'answers', problem: true, said: expect.stringContaining('does not answer') as string }, {}, {}],
  });
  const kept = await json(coordinator.world, ['dag', 'list']);
  expect(JSON.stringify(kept.value)).not.toContain('cluster-test');

  const one = await json(coordinator.world, ['cluster', 'test', good.name, '--room', room]);
  expect(one).toMatchObject({ code: 0, value: { ok: true, nodes: [{ did: good.did }] } });

  const ping = await json(coordinator.world, ['node', 'ping', good.name, '-n', '2']);
  expect(ping).toMatchObject({ code: 0, value: { did: good.did, round_ms: [expect.any(Number), expect.any(Number)] } });
  const none = await coordinator.world.cis(['node', 'ping', 'nobody']);
  expect([none.code, none.stderr]).toEqual([4, expect.stringContaining('no node nobody was heard of')]);

  const status = await json(coordinator.world, ['cluster', 'status']);
  const { nodes: known } = status.value as { nodes: { did: string; trusted: boolean; latency_ms: number | null }[] };
  expect(known.find(({ did }) => did === good.did)).toMatchObject({
    trusted: true,
    latency_ms: expect.any(Number) as number,
  });
}, 240_000);

test('a node with work is not stopped without a word; it is drained first, and the work comes to its end', async () => {
  const { coordinator } = fleet;
  const [good] = fleet.nodes;
  if (good === undefined) throw new Error('a node is needed');
  const ask = `printf 'Go on? [y/n] '; read -r answer; echo "$answer" > "$CIS_OUTPUT"`;
  const dag = `[dag]\nname = "held"\n[[dag.tasks]]\nid = "ask"\ntarget_node = "${good.name}"\ncommand = '''${ask}'''\n`;
  const run = fleet.begin(dag, '--run-id', 'held');
  await seen(coordinator.world, 'held', ({ kind }) => kind === 'task-blocked');
  const status = await json(good.world, ['node', 'status']);
  expect(status.value).toMatchObject({ work: [{ session_id: 'held:ask', state: 'asked' }], draining: false });
  const refused = await good.world.cis(['node', 'stop']);
  expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining('the node has work: held:ask')]);

  const stopping = beginCis(good.world, ['node', 'stop', '--wait', '--json']);
  await inDatabase(good.world, (db) => (readDraining(db) ? true : null));
  const unblocked = await coordinator.world.cis(['dag', 'unblock', 'held:ask', 'y']);
  expect([unblocked.code, unblocked.stderr]).toEqual([0, '']);
  expect((await run.ended).code).toBe(0);
  const stopped = await stopping.ended;
  expect([stopped.code, JSON.parse(stopped.stdout)]).toEqual([0, { stopped: expect.any(Number), left: [] }]);
  expect(good.pid()).toBeNull();
  expect((await json(good.world, ['node', 'status'])).value).toMatchObject({ pid: null, draining: false, work: [] });
}, 240_000);
