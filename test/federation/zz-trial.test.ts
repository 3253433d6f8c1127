import { test } from 'vitest';
import { openFleetWorld, openDb } from './world.ts';
test('trial', { timeout: 400_000 }, async () => {
  const n = Number(process.env['N'] ?? 200);
  await using fleet = await openFleetWorld({ nodes: 3, slots: 8, limited: process.env['LIMITED'] === '1' });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  const tasks = Array.from({ length: n }, (_, i) => `[[dag.tasks]]\nid = "t${i}"\ncommand = "true"\n`).join('');
  const t0 = Date.now();
  const ended = await fleet.run(
    `[dag]\nname = "speed"\n${tasks}`,
    '--run-id',
    'speed',
    '--json',
    '--max-workers',
    '100',
  );
  console.log('took', Date.now() - t0, ended.code, ended.stderr.slice(0, 2000));
  const db = openDb(fleet.coordinator.world);
  const rows = db.prepare("SELECT kind, at, body FROM events WHERE run_id='speed' ORDER BY seq").all() as any[];
  const start = rows.find((r) => r.kind === 'run-started').at;
  const end = rows.at(-1);
  console.log('run', end.kind, end.at - start);
  const types = db.prepare('SELECT type, count(*) n FROM fleet_inbox GROUP BY type').all();
  console.log(types);
  console.log(db.prepare('SELECT lane, type, state, count(*) n FROM outbox GROUP BY 1,2,3').all());
  const given = new Map<string, number>();
  const lat: number[] = [];
  for (const r of rows) {
    const e = JSON.parse(r.body);
    if (e.kind === 'node-given') given.set(e.session, r.at);
  }
  const entries = db.prepare('SELECT session, at, event FROM fleet_entries').all() as any[];
  for (const e of entries) if (JSON.parse(e.event).kind === 'spawned') lat.push(e.at - (given.get(e.session) ?? 0));
  lat.sort((a, b) => a - b);
  console.log('given→running p50', lat[lat.length >> 1], 'p95', lat[Math.floor(lat.length * 0.95)], lat.length);
  const kinds: any = {};
  for (const r of rows) kinds[r.kind] = (kinds[r.kind] ?? 0) + 1;
  console.log(kinds);
  for (const node of fleet.nodes) console.log(node.log().slice(0, 1500));
  db.close();
});
