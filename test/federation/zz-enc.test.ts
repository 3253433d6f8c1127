import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';
import { openFleetWorld, openDb } from './world.ts';
test('trial', { timeout: 400_000 }, async () => {
  await using fleet = await openFleetWorld({ nodes: 2, encrypted: true });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const dag = `
[dag]
name = "hidden"
[[dag.tasks]]
id = "make"
command = "seq 1 9000"
target_node = "node-a"
[[dag.tasks]]
id = "use"
deps = ["make"]
command = 'tail -n 1 "$CIS_UPSTREAM_MAKE"'
target_node = "node-b"
`;
  const run = fleet.begin(dag, '--run-id', 'speed', '--json');
  await Promise.race([run.ended, sleep(30000)]);
  for (const { world } of [fleet.coordinator, ...fleet.nodes]) {
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
      db.prepare('SELECT room_id, event FROM matrix_undecrypted').all().length,
      JSON.stringify(db.prepare('SELECT last_error FROM matrix_device').all()),
    );
    console.log(
      JSON.stringify(db.prepare('SELECT task_id, state, body FROM fleet_leases').all()),
      JSON.stringify(db.prepare('SELECT task_id, state, epoch FROM node_leases').all()),
    );
    db.close();
  }
  for (const n of fleet.nodes) console.log(n.log());
  run.kill('SIGKILL');
  console.log((await run.ended).stderr, (await run.ended).stdout.slice(-3000));
});
