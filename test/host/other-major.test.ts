import { expect, test } from 'vitest';
import type { HostConnection } from '../../src/host/port.ts';
import { connectHosts } from '../../src/host/client.ts';
import { startHost } from '../../src/host/start.ts';
import { ask, fixture, followRun, spawnRequest } from '../support/sessions.ts';
import { openWorld, type World } from '../support/world.ts';

async function hostOfMajor(world: World, major: number): Promise<HostConnection> {
  expect(await startHost(world.home, major)).toEqual({ ok: true, value: undefined });
  const [host] = await connectHosts(world.home, 'a test');
  if (host === undefined) throw new Error('no host');
  await ask(host, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
  return host;
}

for (const [age, major] of [
  ['older', 0],
  ['newer', 7],
] as const) {
  test(`sessions of an ${age} host are listed, read, attached to, written to and killed`, async () => {
    await using world = openWorld();
    using other = await hostOfMajor(world, major);
    const run = await followRun(other, 'r');
    await ask(other, { kind: 'spawn', spawn: spawnRequest(world, 'r:asks', '', { file: fixture('asks.sh') }) });
    await ask(other, { kind: 'spawn', spawn: spawnRequest(world, 'r:sleeps', 'echo here; sleep 300') });
    using own = await world.host();
    await ask(own, { kind: 'environment', env: { PATH: process.env['PATH'] ?? '' } });
    await ask(own, { kind: 'spawn', spawn: spawnRequest(world, 's:new', 'sleep 300') });
    const listed = JSON.parse((await world.cis(['dag', 'sessions', '--json'])).stdout) as {
      sessions: { id: string }[];
    };
    expect(listed.sessions.map(({ id }) => id).sort()).toEqual(['r:asks', 'r:sleeps', 's:new']);
    expect(JSON.parse((await world.cis(['host', 'status', '--json'])).stdout)).toMatchObject({
      hosts: expect.objectContaining({ length: 2 }) as unknown,
    });
    const terminal = world.terminal(['dag', 'attach', 'r:sleeps']);
    await terminal.waitForText('here');
    terminal.type('\u001dd');
    expect(await terminal.ended).toMatchObject({ code: 0 });
    expect(await world.cis(['dag', 'send', 'r:asks', 'Ada', '--enter'])).toMatchObject({ code: 0, stderr: '' });
    expect(await run.endOf('r:asks')).toEqual({ kind: 'exited', code: 0 });
    expect((await world.cis(['dag', 'logs', 'r:asks'])).stdout).toContain('Hello, Ada.');
    expect(await world.cis(['dag', 'kill', 'r:sleeps'])).toMatchObject({ code: 0, stdout: 'killed r:sleeps\n' });
    expect(await run.endOf('r:sleeps')).toMatchObject({ kind: 'killed', by: 'user' });
  });
}
