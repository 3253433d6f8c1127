import { existsSync, readFileSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../src/domain/fleet/did.ts';
import { didOf, isSignedBy, keyOf, openIdentity, readIdentity } from '../../src/federation/identity.ts';
import { identityFile } from '../../src/federation/in-fleet.ts';
import { signContent, verifyContent, type Received } from '../../src/federation/sign.ts';
import { admit } from '../../src/federation/trust.ts';
import type { JsonObject } from '../../src/matrix/http.ts';
import { removeTrust, takeSeq, writeTrust } from '../../src/storage/trust.ts';
import { makeNode, room, type TestNode } from './support.ts';

const assigned = 'cis.dag.task.assigned';
const order = { run_id: 'brave-otter-4f2a', epoch_base: 1_000_001, at: 1_700_000_000_000, assignments: [] };

function trust(
  at: TestNode,
  other: TestNode,
  more: { userId?: string; heard?: ReadonlyMap<string, number> } = {},
): void {
  const { did } = other.identity;
  const userId = more.userId ?? null;
  const row = { did, node: 'other', userId, roles: ['coordinator'] as const, how: 'command' as const, at: 1 };
  writeTrust(at.db, row, more.heard ?? new Map());
}

function verdictOf(at: TestNode, received: Received, newestOnly = false): string {
  const admitted = admit(received, { db: at.db, ownDid: at.identity.did, role: 'coordinator', newestOnly });
  if (!admitted.ok) return admitted.error.kind;
  return admitted.value.reordered ? 'taken, reordered' : 'taken';
}

describe('the keys of a node', () => {
  test('are made once, readable by their owner only, and name the node', () => {
    using node = makeNode('a');
    const path = identityFile(node.home);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(node.identity.did).toMatch(/^did:key:z6Mk/);
    expect(openIdentity(node.home).did).toBe(node.identity.did);
    expect(openIdentity(node.home).seal.publicKey).toBe(node.identity.seal.publicKey);
    expect(Buffer.from(node.identity.seal.publicKey, 'base64url')).toHaveLength(32);
    expect(readFileSync(path, 'utf8')).not.toContain(node.identity.did);
    chmodSync(path, 0o644);
    openIdentity(node.home);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('are not made by looking for them, and a damaged file is said, not replaced', () => {
    using node = makeNode('a');
    const path = identityFile(node.home);
    writeFileSync(path, '{"ed25519": "nonsense"}');
    expect(() => openIdentity(node.home)).toThrow('is damaged');
    expect(readFileSync(path, 'utf8')).toContain('nonsense');
    const elsewhere = { dir: `${node.home.dir}/elsewhere` };
    expect(readIdentity(elsewhere)).toBeNull();
    expect(existsSync(elsewhere.dir)).toBe(false);
  });

  test('are the same for processes that start at once', async () => {
    using node = makeNode('a');
    const dir = `${node.home.dir}/fresh`;
    const script = `import('${import.meta.dirname}/../../src/federation/identity.ts').then((it) => console.log(it.openIdentity({ dir: ${JSON.stringify(dir)} }).did))`;
    const ask = () =>
      new Promise<string>((resolve) => {
        const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
        child.once('close', () => resolve(text.trim()));
      });
    const dids = await Promise.all([ask(), ask(), ask()]);
    expect(dids[0]).toMatch(/^did:key:z6Mk/);
    expect(new Set(dids).size).toBe(1);
  });

  // The example of the did:key method's own specification, for an Ed25519 key.
  test('are named as the did:key specification has it', () => {
    const raw = Buffer.from('2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6', 'hex');
    const did = didOf(raw);
    expect(did).toBe('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK');
    const key = keyOf(did);
    expect(key.ok && Buffer.from(key.value.export({ format: 'jwk' }).x ?? '', 'base64url').equals(raw)).toBe(true);
    expect(fingerprintOf(did)).toBe('tKLG pbnn EGta 2doK');
  });

  test('a signature has one spelling only', () => {
    using node = makeNode('a');
    const bytes = Buffer.from('work');
    const signature = node.identity.sign(bytes);
    expect(isSignedBy(node.identity.did, bytes, signature)).toBe(true);
    expect(isSignedBy(node.identity.did, bytes, `${signature}==`)).toBe(false);
    expect(isSignedBy(node.identity.did, bytes, signature.slice(1))).toBe(false);
  });
});

describe('a signed event', () => {
  test('of a trusted coordinator is taken', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    expect(verdictOf(a, b.say(assigned, order))).toBe('taken');
  });

  test('survives what a homeserver does to text, and is refused what it would not carry', () => {
    using a = makeNode('a');
    const odd = a.say(assigned, {
      ...order,
      order: 'lone \uD800 surrogate, é, 𝄞, \u0000',
      z: undefined,
      '𝄞': 1,
      '\uFFFF': 2,
    });
    expect(verdictOf(a, odd)).toBe('taken');
    const sign = (content: JsonObject) =>
      signContent(a.identity, { type: assigned, room, userId: a.userId, seq: 1, content });
    expect(sign({ half: 0.5 })).toMatchObject({ ok: false });
    expect(sign({ much: 'x'.repeat(41_000) })).toMatchObject({ ok: false });
  });

  test('that is not signed, or whose signature is no signature, is refused', () => {
    using a = makeNode('a');
    const said = a.say(assigned, order);
    const { signature, ...bare } = said.content;
    expect(verdictOf(a, { ...said, content: bare })).toBe('unsigned');
    for (const wrong of [
      'me',
      {},
      { ...(signature as object), did: 'did:key:z6Mk' },
      { ...(signature as object), seq: '1' },
      { ...(signature as object), seq: 0 },
    ]) {
      expect(verdictOf(a, { ...said, content: { ...bare, signature: wrong } })).toBe('malformed');
    }
  });

  test('that is forged is refused: another key signed in the name of a trusted one', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    using thief = makeNode('thief');
    trust(a, b);
    const forged = thief.say(assigned, order);
    const signature = { ...(forged.content['signature'] as object), did: b.identity.did };
    expect(verdictOf(a, { ...forged, content: { ...forged.content, signature } })).toBe('forged');
    expect(verdictOf(a, forged)).toBe('untrusted');
  });

  test('that was altered is refused, whatever of it was', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    const said = b.say(assigned, order);
    const signature = said.content['signature'] as JsonObject;
    const alter = (content: JsonObject) => verdictOf(a, { ...said, content: { ...said.content, ...content } });
    expect(alter({ epoch_base: 2_000_001 })).toBe('altered');
    expect(alter({ more: true })).toBe('altered');
    expect(alter({ signature: { ...signature, seq: Number(signature['seq']) + 1 } })).toBe('altered');
    expect(alter({ signature: { ...signature, room_id: '!other:example.org' } })).toBe('altered');
    expect(alter({ signature: { ...signature, user_id: a.userId } })).toBe('altered');
    expect(verdictOf(a, { ...said, type: 'cis.dag.task.granted' })).toBe('altered');
    expect(verdictOf(a, said)).toBe('taken');
  });

  test('of another room is refused', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    expect(verdictOf(a, { ...b.say(assigned, order), room: '!other:example.org' })).toBe('wrong-room');
    expect(verdictOf(a, { ...b.say(assigned, order, 'to-device'), room })).toBe('wrong-room');
  });

  test('that somebody else sends again under his own name is refused', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    expect(verdictOf(a, { ...b.say(assigned, order), sender: '@mallory:example.org' })).toBe('wrong-sender');
  });

  test('of a key that speaks from another account than the one it was trusted with is refused', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b, { userId: '@before:example.org' });
    expect(verdictOf(a, b.say(assigned, order))).toBe('wrong-user');
    trust(a, b);
    expect(verdictOf(a, b.say(assigned, order))).toBe('taken');
    // From now on the key is bound to that account.
    const seq = takeSeq(b.db, room, 1);
    const moved = signContent(b.identity, { type: assigned, room, userId: '@moved:example.org', seq, content: order });
    if (!moved.ok) throw new Error(moved.error);
    expect(verdictOf(a, { type: assigned, room, sender: '@moved:example.org', content: moved.value })).toBe(
      'wrong-user',
    );
  });

  test('that is played again is refused, under whatever event id', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    const said = b.say(assigned, order);
    expect(verdictOf(a, said)).toBe('taken');
    expect(verdictOf(a, said)).toBe('replayed');
  });

  test('that was overtaken is taken and marked, so that its epoch decides; where only the newest counts it is refused', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    const [first, second, third] = [b.say(assigned, order), b.say(assigned, order), b.say(assigned, order)];
    expect(verdictOf(a, third, true)).toBe('taken');
    expect(verdictOf(a, first, true)).toBe('reordered');
    expect(verdictOf(a, second)).toBe('taken, reordered');
  });

  test('from before the trust is very old, even when nobody here ever saw it', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const before = b.say(assigned, order);
    const heartbeat = b.say('cis.node.heartbeat', {});
    const heard = verifyContent(heartbeat);
    if (!heard.ok) throw new Error(heard.error.message);
    trust(a, b, { heard: new Map([[room, heard.value.seq]]) });
    expect(verdictOf(a, before)).toBe('very-old');
    expect(verdictOf(a, b.say(assigned, order))).toBe('taken');
  });

  test('of one who is trusted no more is refused, and trust given again does not open the past', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    const said = b.say(assigned, order);
    expect(verdictOf(a, said)).toBe('taken');
    removeTrust(a.db, b.identity.did);
    expect(verdictOf(a, b.say(assigned, order))).toBe('untrusted');
    trust(a, b);
    expect(verdictOf(a, said)).toBe('replayed');
  });

  test('of a worker is no order', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const row = { did: b.identity.did, node: 'b', userId: null, how: 'command' as const, at: 1 };
    writeTrust(a.db, { ...row, roles: ['worker'] }, new Map());
    expect(verdictOf(a, b.say(assigned, order))).toBe('untrusted');
  });

  test('of this home itself needs no trust, and counts once all the same', () => {
    using a = makeNode('a');
    const said = a.say(assigned, order);
    expect(verdictOf(a, said)).toBe('taken');
    expect(verdictOf(a, said)).toBe('replayed');
  });

  test('of a version that is not known is refused', () => {
    using a = makeNode('a');
    expect(verdictOf(a, a.say(assigned, { ...order, v: 2 }))).toBe('unknown-version');
    expect(verdictOf(a, a.say(assigned, { ...order, v: '1' }))).toBe('unknown-version');
  });

  test.each([-600_000, 600_000])('of a clock that is off by %i ms is taken: clocks are not asked', (skew) => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    expect(verdictOf(a, b.say(assigned, { ...order, at: Date.now() + skew }))).toBe('taken');
  });

  test('leaves no trace when the transaction that acts on it goes back', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    trust(a, b);
    const said = b.say(assigned, order);
    const act = a.db.transaction(() => {
      expect(verdictOf(a, said)).toBe('taken');
      throw new Error('no disk');
    });
    expect(act).toThrow('no disk');
    expect(verdictOf(a, said)).toBe('taken');
  });
});

test('numbers go on without a gap, and by the clock when the database was lost', () => {
  using a = makeNode('a');
  expect([takeSeq(a.db, room, 500), takeSeq(a.db, room, 900), takeSeq(a.db, 'to-device', 900)]).toEqual([
    500, 501, 900,
  ]);
});
