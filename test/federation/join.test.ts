import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { TrustRole } from '../../src/storage/trust.ts';
import { answerJoin, hearWelcome, makeJoin, joinType, welcomeType } from '../../src/federation/node/join.ts';
import { launchdUnit, systemdUnit } from '../../src/federation/node/service.ts';
import { newTicketKeys, type Ticket } from '../../src/federation/node/ticket.ts';
import { judgeOrder, policyOf } from '../../src/federation/policy.ts';
import type { Task } from '../../src/domain/dag.ts';
import type { Did } from '../../src/domain/fleet/did.ts';
import type { TaskOrder } from '../../src/domain/fleet/order.ts';
import { judgeOrderOf } from '../../src/federation/node/judge.ts';
import { settingsOf, taskOf } from '../support/runs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { deviceLane, signContent, type Received } from '../../src/federation/sign.ts';
import { listToDevice } from '../../src/storage/fleet.ts';
import { writeTicket } from '../../src/storage/tickets.ts';
import { listTrust, takeSeq } from '../../src/storage/trust.ts';
import { makeNode, room, type TestNode } from './support.ts';

const now = 1_700_000_000_000;
const both: readonly TrustRole[] = ['worker', 'coordinator'];

function selfOf({ identity, userId }: TestNode) {
  return { identity, userId, node: userId.slice(1, userId.indexOf(':')) };
}

function invite(by: TestNode): Ticket {
  const keys = newTicketKeys();
  const expiresAt = now + 60_000;
  writeTicket(by.db, { ...keys, direction: 'given', room, peer: null, roles: both, expiresAt, settledAt: null });
  const homeserver = 'https://example.org';
  const { did } = by.identity;
  return { ...keys, homeserver, room, node: 'a', did, userId: by.userId, deviceId: 'A', expiresAt, account: null };
}

function joinWith(node: TestNode, ticket: Ticket): Received {
  const content = makeJoin(node.db, selfOf(node), 'B', ticket, both, now);
  return { type: joinType, room: deviceLane, sender: node.userId, content };
}

/** What the inviter sends back, as the one who joins receives it. */
function lastAnswer(by: TestNode): Received {
  const message = listToDevice(by.db, now).at(-1);
  if (message === undefined) throw new Error('nothing was answered');
  expect(message.type).toBe(welcomeType);
  return { type: welcomeType, room: deviceLane, sender: by.userId, content: message.content };
}

const trusts = (node: TestNode) => listTrust(node.db).map(({ did }) => did);

describe('a join', () => {
  test('with the ticket is welcomed: both trust each other', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const ticket = invite(a);
    expect(answerJoin(a.db, selfOf(a), joinWith(b, ticket), now)).toContain('joined with a ticket and is trusted');
    expect(hearWelcome(b.db, b.identity.did, lastAnswer(a), now)).toBe('a trusts this node');
    expect([trusts(a), trusts(b)]).toEqual([[b.identity.did], [a.identity.did]]);
  });

  test('counts once; the same node may ask again, another may not', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    using c = makeNode('c');
    const ticket = invite(a);
    answerJoin(a.db, selfOf(a), joinWith(b, ticket), now);
    expect(answerJoin(a.db, selfOf(a), joinWith(b, ticket), now + 120_000)).toContain('is trusted');
    expect(answerJoin(a.db, selfOf(a), joinWith(c, ticket), now)).toContain('the ticket was used by another');
    expect(hearWelcome(c.db, c.identity.did, lastAnswer(a), now)).toBe(
      'a did not let this node in: the ticket was used by another',
    );
    expect(trusts(a)).toEqual([b.identity.did]);
  });

  test('too late is refused, by the clock of who invited', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const late = joinWith(b, invite(a));
    expect(answerJoin(a.db, selfOf(a), late, now + 60_001)).toContain('the ticket has expired');
    expect(trusts(a)).toEqual([]);
  });

  test('without the secret is refused, also by somebody who saw another join', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    using thief = makeNode('thief');
    const ticket = invite(a);
    const guessed = joinWith(thief, { ...ticket, ...newTicketKeys(), id: ticket.id });
    expect(answerJoin(a.db, selfOf(a), guessed, now)).toContain('it does not know what is in the ticket');
    const { signature: _, ...seen } = joinWith(b, ticket).content;
    const seq = takeSeq(thief.db, deviceLane, now);
    const copied = signContent(thief.identity, {
      type: joinType,
      room: deviceLane,
      userId: thief.userId,
      seq,
      content: seen,
    });
    if (!copied.ok) throw new Error(copied.error);
    const received = { type: joinType, room: deviceLane, sender: thief.userId, content: copied.value };
    expect(answerJoin(a.db, selfOf(a), received, now)).toContain('it does not know what is in the ticket');
    expect(trusts(a)).toEqual([]);
  });

  test('is not welcomed by anybody but who invited', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    using thief = makeNode('thief');
    const ticket = invite(a);
    joinWith(b, ticket);
    const content = { ticket: ticket.id, node: 'a', proof: 'x', at: now };
    const forged = { ...thief.say(welcomeType, content, deviceLane), room: deviceLane };
    expect(hearWelcome(b.db, b.identity.did, forged, now)).toContain('who did not invite this node');
    const guessed = { ...a.say(welcomeType, content, deviceLane), room: deviceLane };
    expect(hearWelcome(b.db, b.identity.did, guessed, now)).toContain('that does not know what is in the ticket');
  });
});

test('directories are offered with their links resolved: a link does not lead out of them', async () => {
  using node = makeNode('a');
  const base = realpathSync(node.home.dir);
  mkdirSync(join(base, 'offered', 'inside'), { recursive: true });
  symlinkSync('/etc', join(base, 'offered', 'out'));
  symlinkSync(join(base, 'offered'), join(base, 'linked'));
  const env = { CIS_NODE_POLICY_DIRS: join(base, 'linked') };
  const loaded = await loadConfig({ env, cwd: base, home: node.home });
  if (!loaded.ok) throw new Error('a mistake in the config');
  const policy = policyOf(loaded.value.config);
  const ask = (dir: string): boolean => {
    const action = { kind: 'command', command: 'make', shell: 'sh' } as const;
    return judgeOrder(policy, { action, agent: null, rollback: [], env: {}, dir, answersOf: null }).ok;
  };
  expect(ask(join(base, 'offered', 'inside'))).toBe(true);
  expect(ask(join(base, 'linked', 'inside', 'not', 'yet'))).toBe(true);
  expect(ask(join(base, 'offered', 'out'))).toBe(false);
  expect(ask(join(base, 'offered', 'out', 'ssh'))).toBe(false);
  expect(ask('/etc')).toBe(false);
});

test('an order is judged by all that decides what runs; one of the own home is not judged', async () => {
  using node = makeNode('a');
  const env = { CIS_NODE_AGENTS: 'codex', CIS_NODE_POLICY_DENY_COMMANDS: '*curl*' };
  const loaded = await loadConfig({ env, cwd: node.home.dir, home: node.home });
  if (!loaded.ok) throw new Error('a mistake in the config');
  const judge = judgeOrderOf(policyOf(loaded.value.config), node.identity.did);
  const stranger = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK' as Did;
  const order = (task: Task, env: Record<string, string> = {}): TaskOrder => {
    const { run, dag, vars, defaultAgent, agentMode, matrix } = settingsOf([task], { defaultAgent: 'claude' });
    return { run, attempt: 1, task, dag: { ...dag, env }, vars, defaultAgent, agentMode, matrix, upstream: {} };
  };
  const ask = (one: TaskOrder, by: Did = stranger): string => {
    const judged = judge(one, by);
    return judged.ok ? 'taken' : `${judged.error.errorClass}: ${judged.error.reason}`;
  };
  const plain = taskOf('a');
  const agent: Task = { ...plain, action: { kind: 'agent', prompt: 'do it', config: {} } };
  expect(ask(order(plain))).toBe('taken');
  expect(ask(order(agent))).toContain('policy: this node does not run claude');
  expect(ask(order(plain, { LD_PRELOAD: 'x' }))).toContain('policy: this node does not let others set LD_PRELOAD');
  expect(ask(order({ ...plain, env: { PATH: 'x' } }))).toContain('set PATH');
  expect(ask(order({ ...plain, rollback: ['curl x'] }))).toContain('rollback 1 matches "*curl*"');
  expect(ask(order({ ...plain, workDir: '/etc' }))).toContain('does not offer /etc');
  expect(ask(order(agent, { PATH: 'x' }), node.identity.did)).toBe('taken');
});

describe('a unit file', () => {
  const facts = {
    node: '/opt/node 24/bin/node',
    cis: '/opt/cis/bin/cis',
    homeDir: '/home/a&b/.cis',
    path: '/usr/bin:/home/50%/bin',
    room: '#fleet:example.org',
  };

  test('for systemd starts the node again whenever it ends, and leaves its sessions alone', () => {
    const unit = systemdUnit(facts);
    expect(unit).toContain('ExecStart="/opt/node 24/bin/node" /opt/cis/bin/cis node start --room #fleet:example.org\n');
    expect(unit).toContain('Environment=PATH=/usr/bin:/home/50%%/bin\n');
    expect(unit).toContain('Environment="CIS_HOME=/home/a&b/.cis"\n');
    expect(unit).toContain('Restart=always\n');
    expect(unit).toContain('KillMode=process\n');
  });

  test('for launchd is a property list that says the same', () => {
    const script = 'import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))';
    const read = spawnSync('python3', ['-c', script], { input: launchdUnit(facts), encoding: 'utf8' });
    expect(read.stderr).toBe('');
    expect(JSON.parse(read.stdout)).toMatchObject({
      Label: 'cis.node',
      ProgramArguments: [facts.node, facts.cis, 'node', 'start', '--room', '#fleet:example.org'],
      EnvironmentVariables: { CIS_HOME: facts.homeDir, PATH: facts.path },
      KeepAlive: true,
      AbandonProcessGroup: true,
    });
  });
});
