import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { openFleetWorld, openDb, beginCis, seen } from './world.ts';
test('trial', { timeout: 400_000 }, async () => {
  await using fleet = await openFleetWorld({ nodes: 2 });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const heir = await fleet.member('heir');
  const dag = `
[dag]
name = "hidden"
[[dag.tasks]]
id = "zero"
command = "echo nought"
[[dag.tasks]]
id = "one"
deps = ["zero"]
command = "sleep 12; echo out"
[[dag.tasks]]
id = "two"
deps = ["one"]
command = "echo out"
`;
  const old = fleet.begin(dag, '--run-id', 'speed', '--json');
  await seen(fleet.coordinator.world, 'speed', (e) => e.kind === 'task-running' && e.task === 'one');
  const run = beginCis(heir.world, [
    ...['dag', 'execute', '--run-id', 'speed', '--takeover', '--room', fleet.room, '--json'],
  ]);
  await Promise.race([run.ended, sleep(30000)]);
  for (const { world } of [fleet.coordinator, heir, ...fleet.nodes]) {
    const db = openDb(world);
    console.log(
      world.home.dir,
      JSON.stringify(db.prepare('SELECT id, lane, type, state, reason, n FROM (SELECT *, 1 n FROM outbox)').all()),
    );
    console.log(JSON.stringify(db.prepare('SELECT type, sender, count(*) n FROM fleet_inbox GROUP BY 1,2').all()));
    console.log(
      JSON.stringify(
        db.prepare('SELECT type, sender, encrypted, count(*) n FROM fleet_device_inbox GROUP BY 1,2,3').all(),
      ),
    );
    console.log(
      db
        .prepare('SELECT * FROM to_device_outbox')
        .all()
        .map((r: any) => [r.type, r.user_id, r.device_id]),
    );
    console.log(
      JSON.stringify(db.prepare('SELECT last_error FROM matrix_device').all()),
      db.prepare('select * from bridge_runs').all(),
    );
    console.log(
      JSON.stringify(db.prepare('SELECT task_id, state, body FROM fleet_leases').all()),
      JSON.stringify(db.prepare('SELECT task_id, state, epoch FROM node_leases').all()),
    );
    db.close();
  }
  for (const n of fleet.nodes) console.log(n.log());
  console.log('OLD', await Promise.race([old.ended, sleep(1000)]));
  run.kill('SIGKILL');
  console.log((await run.ended).stderr, (await run.ended).stdout.slice(-3000));
});
