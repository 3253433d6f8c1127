import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { hostPaths } from '../../../src/host/paths.ts';
import { mountSmall } from '../../baddays/support.ts';
import { openLink } from '../../support/link.ts';
import { fixture } from '../../support/sessions.ts';
import type { World } from '../../support/world.ts';
import type { NodeMember } from '../world.ts';
import { openEchoes } from './proxy.ts';
import { isAlive, type Round, type Scenario } from './round.ts';

/** How long a node is cut off: longer than it takes until it counts as silent (45 s). */
const cutMs = 60_000;
const skewMs = 10 * 60_000;

export const scenarios: readonly Scenario[] = [
  {
    name: 'node-killed',
    what: 'a node is killed with -9 in the middle of its tasks, in every second round its host as well, and started again',
    sideBySide: 2,
    async disturb(round) {
      await round.reached(round.random.between(3, 40));
      const node = round.random.pick(round.fleet.nodes);
      const withHost = round.random.next() < 0.5;
      await node.kill('SIGKILL');
      if (withHost) await killHost(node.world);
      await pause(round.random.between(0, 4000));
      await node.start();
    },
  },
  {
    name: 'coordinator-killed',
    what: 'the coordinator is killed with -9 and another home takes over; in every second round the first comes back and must give way',
    sideBySide: 2,
    async disturb(round) {
      const heir = await round.fleet.member('heir');
      await round.reached(round.random.between(3, 40));
      const first = round.coordinator;
      await round.killDriver();
      const args = ['--run-id', round.run, '--takeover', '--room', round.fleet.room, '--detach'];
      const taken = await heir.world.cis(['dag', 'execute', ...args]);
      if (taken.code !== 0) throw new Error(`no take-over: ${taken.stderr}`);
      round.coordinator = heir;
      if (round.random.next() < 0.5) return;
      const back = await first.world.cis(['dag', 'execute', '--run-id', round.run]);
      if (back.code !== 6) throw new Error(`the first coordinator did not give way (${back.code}): ${back.stderr}`);
    },
  },
  {
    name: 'node-cut-off',
    what: 'a node does not reach the homeserver for 60 s and comes back; what it has meanwhile is late',
    sideBySide: 4,
    async open(_, server) {
      const link = await openLink(() => Number(new URL(server.url).port));
      return {
        world: { reach: (name) => (name === 'node-b' ? `http://127.0.0.1:${link.port}` : undefined) },
        act: (what) => (what === 'cut' ? link.cut() : link.heal()),
        [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
      };
    },
    async disturb(round, setting) {
      await round.reached(round.random.between(3, 30));
      setting.act?.('cut');
      await pause(cutMs);
      setting.act?.('heal');
    },
  },
  {
    name: 'homeserver-restarted',
    what: 'the homeserver is stopped, in every second round with -9, and started again',
    sideBySide: 2,
    ownServer: true,
    async disturb(round) {
      await round.reached(round.random.between(3, 40));
      await round.fleet.server.stop(round.random.next() < 0.5 ? 'SIGKILL' : 'SIGTERM');
      await pause(round.random.between(0, 3000));
      await round.fleet.server.start();
    },
  },
  {
    name: 'echoes',
    what: 'three of ten answers of the homeserver are up to 1.5 s late, and three of ten events arrive a second time, as replays',
    sideBySide: 2,
    async open(random, server) {
      const echoes = await openEchoes(server.url, random);
      return {
        world: { reach: () => echoes.url },
        [Symbol.asyncDispose]: () => echoes[Symbol.asyncDispose](),
      };
    },
    disturb: () => Promise.resolve(),
  },
  {
    name: 'clock-skewed',
    what: "a node's clock is ten minutes fast, or slow",
    sideBySide: 2,
    open(random) {
      const skew = random.next() < 0.5 ? skewMs : -skewMs;
      const variables = {
        NODE_OPTIONS: `--import=file://${fixture('skewed-clock.mjs')}`,
        CIS_TEST_SKEW_MS: String(skew),
      };
      return Promise.resolve({
        world: {
          prepare(name: string, world: World) {
            if (name === 'node-b') Object.assign(world.env, variables);
          },
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
    disturb: () => Promise.resolve(),
  },
  {
    name: 'disk-full',
    what: "a node's disk is full for some seconds",
    sideBySide: 2,
    open() {
      const mounts: Disposable[] = [];
      return Promise.resolve({
        world: {
          prepare(name: string, world: World) {
            if (name === 'node-b') mounts.push(mountSmall(world.home.dir, '24m'));
          },
        },
        [Symbol.asyncDispose]() {
          for (const mount of mounts) mount[Symbol.dispose]();
          return Promise.resolve();
        },
      });
    },
    async disturb(round) {
      await round.reached(round.random.between(3, 40));
      const node = nodeB(round);
      const filler = join(node.world.home.dir, 'filler');
      fill(filler);
      await pause(round.random.between(1000, 6000));
      rmSync(filler);
      // A node that could not write has left; whoever looks after it starts it again, as systemd does.
      if (node.pid() === null) await node.start();
    },
  },
  {
    name: 'never-starts',
    what: 'a node takes tasks and never starts them: its host stands still for 75 s',
    sideBySide: 4,
    async disturb(round) {
      await round.reached(round.random.between(3, 30));
      const node = nodeB(round);
      const pid = hostPid(node.world);
      if (pid === null) return;
      process.kill(pid, 'SIGSTOP');
      await pause(75_000);
      if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    },
  },
];

function nodeB(round: Round): NodeMember {
  const [, node] = round.fleet.nodes;
  if (node === undefined) throw new Error('there is no second node');
  return node;
}

function hostPid({ home }: World): number | null {
  try {
    return Number(readFileSync(hostPaths(home, {}).pid, 'utf8').trim().split(' ')[0]);
  } catch {
    return null;
  }
}

async function killHost(world: World): Promise<void> {
  const pid = hostPid(world);
  if (pid === null || !isAlive(pid)) return;
  process.kill(pid, 'SIGKILL');
  while (isAlive(pid)) await pause(10);
}

/** Takes what is left of a small file system. */
function fill(path: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k'], { stdio: 'ignore' });
  } catch {
    // that it ends with "no space left" is the point
  }
  try {
    writeFileSync(`${path}.rest`, Buffer.alloc(60_000));
  } catch {
    // likewise
  }
  rmSync(`${path}.rest`, { force: true });
}
