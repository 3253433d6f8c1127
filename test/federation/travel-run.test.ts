import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttp } from '../../src/matrix/http.ts';
import { openRooms } from '../../src/matrix/rooms.ts';
import { matrixFiles, readAccount } from '../../src/matrix/secrets.ts';
import { joinAs, message, reply } from '../bridge/rooms.ts';
import { installTimeoutMs, must, startTestHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import type { World } from '../support/world.ts';
import { gitIn } from '../worktree/support.ts';
import { beginCis, openFleetWorld, seen, type FleetWorld } from './world.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver(manyLogins);
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Every machine of every test logs in at one homeserver. */
const often = { per_second: 1000, burst_count: 1000 };
const manyLogins = { rc_login: { address: often, account: often, failed_attempts: often } };

const patience = { timeout: 120_000 };

/** A repository of the coordinator's user, and a DAG of worktree tasks in it: where each runs, and what it does. */
function dagIn(repo: string, tasks: Readonly<Record<string, readonly [node: string, rest: string]>>): string {
  const lines = Object.entries(tasks).map(
    ([id, [node, rest]]) => `[[dag.tasks]]\nid = "${id}"\nworkspace = "worktree"\ntarget_node = "${node}"\n${rest}\n`,
  );
  return `[dag]\nname = "travel"\nwork_dir = "${repo}"\n${lines.join('')}`;
}

function repoOf(world: World, files: Readonly<Record<string, string>>): string {
  const dir = join(world.dir, 'repo');
  mkdirSync(dir);
  gitIn(world, dir, 'init', '--quiet', '--initial-branch=main');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  gitIn(world, dir, 'add', '--all');
  gitIn(world, dir, 'commit', '--quiet', '-m', 'first');
  return dir;
}

async function started(options: Parameters<typeof openFleetWorld>[0] = {}): Promise<FleetWorld> {
  const fleet = await openFleetWorld({ server, nodes: 2, ...options });
  await Promise.all(fleet.nodes.map((node) => node.start()));
  return fleet;
}

test('commits made on two nodes are merged for a dependent, and are branches at home', patience, async () => {
  await using fleet = await started();
  const { world } = fleet.coordinator;
  const repo = repoOf(world, { 'a.txt': 'one\n' });
  const dag = dagIn(repo, {
    left: ['node-a', `command = 'echo "left on $CIS_HOME" > left.txt'`],
    right: [
      'node-b',
      `command = 'echo right > right.txt; git add right.txt; git -c user.name=Bo -c user.email=bo@example.org commit -qm mine'`,
    ],
    both: ['node-b', `deps = ["left", "right"]\ncommand = 'cat left.txt right.txt a.txt > both.txt'`],
  });
  const ended = await fleet.run(dag, '--run-id', 'travel');
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  expect(gitIn(world, repo, 'show', 'cis/travel/both:both.txt')).toBe(
    `left on ${fleet.nodes[0]?.world.home.dir}\nright\none`,
  );
  expect(gitIn(world, repo, 'log', '--format=%s', '-1', 'cis/travel/right')).toBe('mine');
  const merged = await world.cis(['dag', 'merge', 'travel'], { cwd: repo });
  expect(merged.code, merged.stderr).toBe(0);
  expect(readFileSync(join(repo, 'both.txt'), 'utf8')).toContain('right');
  const diff = await world.cis(['dag', 'diff', 'travel:left']);
  expect(diff.stdout).toContain('+left on ');
});

test('a conflict between nodes is a block at home, resolved there, and the task goes on', patience, async () => {
  await using fleet = await started();
  const { world } = fleet.coordinator;
  const repo = repoOf(world, { 'a.txt': 'one\n' });
  const dag = dagIn(repo, {
    left: ['node-a', `command = 'echo left > a.txt'`],
    right: ['node-b', `command = 'echo right > a.txt'`],
    both: ['node-a', `deps = ["left", "right"]\ncommand = 'cp a.txt both.txt'`],
  });
  const running = fleet.begin(dag, '--run-id', 'conflict');
  const { event } = await seen(world, 'conflict', ({ kind }) => kind === 'task-blocked');
  expect(JSON.stringify(event)).toContain('merge-conflict');
  writeFileSync(join(world.home.worktrees, 'conflict', 'both', 'a.txt'), 'both\n');
  const answered = await world.cis(['dag', 'unblock', 'conflict:both']);
  expect(answered.code, answered.stderr).toBe(0);
  expect((await running.ended).code).toBe(0);
  expect(gitIn(world, repo, 'show', 'cis/conflict/both:both.txt')).toBe('both');
});

test('files and large outputs reach dependents on other nodes, encrypted in an encrypted room', patience, async () => {
  await using fleet = await started({ encrypted: true });
  const make = `mkdir -p out; seq 1 60000 > out/numbers.txt; head -c 300000 /dev/zero | tr '\\\\0' x`;
  const dag = `
[dag]
name = "files"
[[dag.tasks]]
id = "make"
target_node = "node-a"
outputs = ["out/*.txt"]
command = "${make}"
[[dag.tasks]]
id = "use"
target_node = "node-b"
deps = ["make"]
command = 'sha256sum < "$(head -1 "$CIS_FILES_MAKE")"; wc -c < "$CIS_UPSTREAM_MAKE"'
`;
  const ended = await fleet.run(dag, '--run-id', 'files');
  expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
  const numbers = execFileSync('seq', ['1', '60000']);
  const output = await fleet.coordinator.world.cis(['dag', 'output', 'files', 'use']);
  expect(output.stdout).toContain(createHash('sha256').update(numbers).digest('hex'));
  expect(Number(output.stdout.trim().split('\n').at(-1))).toBeGreaterThanOrEqual(300_000);
  // who runs the homeserver cannot read them
  const stored = globSync(join(server.dir, '**/local_content/**'), { withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  const texts = stored.map((one) => readFileSync(join(one.parentPath, one.name), 'latin1'));
  expect(texts.filter((text) => text.length > 300_000)).not.toEqual([]);
  expect(texts.filter((text) => text.includes('59999\n') || text.includes('x'.repeat(1000)))).toEqual([]);
});

test('a secret in the file does not leave this machine; the own one of the node is used', patience, async () => {
  await using fleet = await started({ nodes: 1 });
  const secret = `[dag]\nname = "s"\n[dag.env]\nAPI_KEY = "sk-0123456789"\n[[dag.tasks]]\nid = "a"\ncommand = "true"\n`;
  const refused = await fleet.run(secret, '--run-id', 'secret');
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toContain('API_KEY is set by [dag.env]');
  const inbox = fleet.coordinator.world.cis(['matrix', 'status']);
  expect((await inbox).stdout).not.toContain('sk-0123456789');
});

test(
  'sessions on nodes are listed, attached to, answered and ended from the coordinator and from other nodes',
  patience,
  async () => {
    await using fleet = await started();
    const { world } = fleet.coordinator;
    const dag = `
[dag]
name = "ask"
[[dag.tasks]]
id = "ask"
target_node = "node-a"
command = 'printf "Continue? [y/N] "; read answer; echo "said $answer"'
[[dag.tasks]]
id = "stay"
target_node = "node-b"
command = 'while read line; do echo "got $line"; done'
`;
    const running = beginCis(world, [
      ...['dag', 'run', writeFile(world, dag), '--matrix', '--room', fleet.room, '--run-id', 'ask'],
    ]);
    await seen(world, 'ask', ({ kind }) => kind === 'task-blocked');
    const listed = await world.cis(['dag', 'sessions']);
    expect(listed.stderr, fleet.nodes.map((node) => node.log()).join('')).toBe('');
    expect(listed.stdout).toMatch(/ask:ask +node-a +blocked/);
    expect(listed.stdout).toMatch(/ask:stay +node-b +/);
    const terminal = world.terminal(['dag', 'attach', 'ask:stay']);
    await terminal.waitForText('attached to');
    terminal.type('hello\r');
    await terminal.waitForText('got hello');
    terminal.type('\u001dd');
    await terminal.ended;
    const other = fleet.nodes[1]?.world ?? world;
    const answered = await other.cis(['dag', 'unblock', 'ask:ask', 'y']);
    expect(answered.stdout, answered.stderr).toContain('answered ask:ask');
    expect((await world.cis(['dag', 'kill', 'ask:stay'])).stdout).toBe('killed ask:stay\n');
    await running.ended;
    expect((await world.cis(['dag', 'output', 'ask', 'ask'])).stdout).toContain('said y');
    expect((await world.cis(['dag', 'logs', 'ask:stay'])).stdout).toContain('got hello');
  },
);

test('a question of a session on a node is asked in the room and answered by a reply there', patience, async () => {
  const person = await server.user(`ada-${process.pid}`);
  await using fleet = await started({ nodes: 1, env: { CIS_DAG_HYBRID_ACCEPT_ANSWERS_FROM: person.userId } });
  const { world } = fleet.coordinator;
  const account = must(readAccount(matrixFiles(world.home.dir)));
  if (account === null) throw new Error('not logged in');
  must(await openRooms(openHttp(account.homeserver, account.accessToken)).invite(fleet.room, person.userId));
  await using ada = await joinAs(person, fleet.room);
  const dag = `[dag]\nname = "asked"\n[[dag.tasks]]\nid = "ask"
command = 'printf "Continue? [y/N] "; read answer; echo "said $answer"'\n`;
  const running = fleet.begin(dag, '--run-id', 'asked');
  const question = await ada.seen(message('Continue?'));
  await reply(ada, fleet.room, question, 'yes');
  await ada.seen(message(`${person.userId}: `));
  expect((await running.ended).code).toBe(0);
  expect((await world.cis(['dag', 'output', 'asked', 'ask'])).stdout).toContain('said y');
});

test(
  'another machine takes a run with worktrees over: what was committed is there, and what runs comes in',
  patience,
  async () => {
    await using fleet = await started();
    const heir = await fleet.member('heir');
    const { world } = fleet.coordinator;
    const repo = repoOf(world, { 'a.txt': 'one\n' });
    const dag = dagIn(repo, {
      left: ['node-a', `command = 'echo left > left.txt'`],
      right: ['node-b', `command = 'read go; echo "right $go" > right.txt'`],
      both: ['node-a', `deps = ["left", "right"]\ncommand = 'cat left.txt right.txt a.txt > both.txt'`],
      later: ['node-b', `command = 'cp a.txt later.txt'\ndeps = ["both"]`],
    });
    const old = fleet.begin(dag, '--run-id', 'heritage');
    await seen(world, 'heritage', (event) => event.kind === 'task-completed' && event.task === 'left');
    await seen(world, 'heritage', (event) => event.kind === 'task-running' && event.task === 'right');
    old.kill('SIGKILL');
    await old.ended;
    rmSync(repo, { recursive: true }); // its machine is gone
    const took = beginCis(heir.world, [
      ...['dag', 'execute', '--run-id', 'heritage', '--takeover', '--room', fleet.room],
    ]);
    await Promise.race([
      seen(heir.world, 'heritage', (event) => event.kind === 'task-running' && event.task === 'right'),
      took.ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
    ]);
    const typed = await heir.world.cis(['dag', 'send', 'heritage:right', 'on', '--enter']);
    expect(typed.stderr).toBe('');
    const ended = await took.ended;
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    const { worktrees } = JSON.parse((await heir.world.cis(['dag', 'worktrees', 'heritage', '--json'])).stdout) as {
      worktrees: { task: string; repository?: string; branch: string }[];
    };
    expect(worktrees.map(({ task }) => task)).toEqual(['left', 'right', 'both', 'later']);
    const gitDir = globSync(join(heir.world.home.dir, 'travel/repositories/heritage/*.git'))[0] ?? '';
    expect(gitIn(world, gitDir, 'show', 'cis/heritage/both:both.txt')).toBe('left\nright on\none');
    expect(gitIn(world, gitDir, 'show', 'cis/heritage/later:later.txt')).toBe('one');
  },
);

test('the dashboard answers, shows, attaches to and ends a session on a node', patience, async () => {
  await using fleet = await started({ nodes: 1 });
  const { world } = fleet.coordinator;
  const dag = `[dag]\nname = "board"\n[[dag.tasks]]\nid = "chat"
command = 'printf "Continue? [y/N] "; read answer; echo "said $answer"; while read -r x; do echo "got $x"; done'\n`;
  const running = fleet.begin(dag, '--run-id', 'board');
  await seen(world, 'board', ({ kind }) => kind === 'task-blocked');
  const terminal = world.terminal(['dashboard'], { cols: 100, rows: 30 });
  await terminal.waitForText(/›.*board:chat[^]*Continue\?/);
  terminal.type('\u001b[A1');
  await terminal.waitForText(/●\s+chat/);
  await terminal.waitFor((shown) => !shown.includes('Continue?'));
  terminal.type('\u001b[B');
  await terminal.waitForText(/›\s+●\s+chat/);
  terminal.type('\r');
  await terminal.waitForText(/board:chat\s+live[^]*said y/);
  terminal.type('a');
  await terminal.waitForText('attached to board:chat');
  terminal.type('one\r');
  await terminal.waitForText('got one');
  terminal.type('\u001dd');
  await terminal.waitForText('detached from board:chat');
  terminal.type('\u001b[D');
  await terminal.waitForText(/›\s+●\s+chat/);
  terminal.type('k');
  await terminal.waitForText('kill board:chat?');
  terminal.type('y');
  await terminal.waitForText(/✗\s+chat/);
  terminal.type('q');
  await terminal.ended;
  expect((await running.ended).code).toBe(1);
});

function writeFile(world: World, text: string): string {
  const path = join(world.dir, 'asking.toml');
  writeFileSync(path, text);
  return path;
}
