import { afterAll, beforeAll, expect, test } from 'vitest';
import { installTimeoutMs, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventsOf, openFleetWorld } from './world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test(
  'a task runs on the node it names, and its output reaches a dependent on another',
  { timeout: 60_000 },
  async () => {
    await using fleet = await openFleetWorld({ server, nodes: 2 });
    await Promise.all(fleet.nodes.map((node) => node.start()));
    const dag = `
[dag]
name = "straight"
[[dag.tasks]]
id = "make"
command = "echo made on $CIS_HOME"
target_node = "node-a"
[[dag.tasks]]
id = "use"
deps = ["make"]
command = 'echo "got: $(cat "$CIS_UPSTREAM_MAKE") and $CIS_HOME"'
target_node = "node-b"
`;
    const ended = await fleet.run(dag, '--run-id', 'straight', '--json');
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    const [a, b] = fleet.nodes;
    const output = await fleet.coordinator.world.cis(['dag', 'output', 'straight', 'use']);
    expect(output.stdout).toContain(`got: made on ${a?.world.home.dir}`);
    expect(output.stdout).toContain(`and ${b?.world.home.dir}`);
    const given = eventsOf(fleet.coordinator.world, 'straight').filter(({ kind }) => kind === 'node-given');
    expect(given).toMatchObject([{ node: 'node-a' }, { node: 'node-b' }]);
  },
);
