import { describe, expect, test } from 'vitest';
import type { Heartbeat } from '../../src/domain/fleet/facts.ts';
import { heartbeatContent, readHeartbeat } from '../../src/federation/heartbeat.ts';
import { hearHeartbeat, heartbeatType } from '../../src/federation/node/hear.ts';
import { deviceLane } from '../../src/federation/sign.ts';
import { readMachineEvent, writeMachineEvent } from '../../src/matrix/events/index.ts';
import { listNodes, readNode, writeHeartbeat } from '../../src/storage/nodes.ts';
import { heartbeat } from '../domain/fleet/support.ts';
import { makeNode, room, type TestNode } from './support.ts';

const at = 1_700_000_000_000;

function contentOf(of: Heartbeat): Record<string, unknown> {
  const written = writeMachineEvent(heartbeatType, heartbeatContent(of, at));
  if (!written.ok) throw new Error(written.error);
  return { ...written.value };
}

function read(content: Record<string, unknown>): Heartbeat {
  const event = readMachineEvent(heartbeatType, content);
  if (!event.ok || event.value.event.type !== heartbeatType) throw new Error('no heartbeat');
  const heard = readHeartbeat(event.value.event.content);
  if (!heard.ok) throw new Error(heard.error);
  return heard.value;
}

/** What a node says of itself, with its own key. */
function own({ identity, userId }: TestNode, more: Parameters<typeof heartbeat>[1] = {}): Heartbeat {
  return heartbeat('A', { ...more, facts: { did: identity.did, userId, ...more.facts } });
}

describe('a heartbeat', () => {
  test('arrives as it was said', () => {
    const said = heartbeat('A', {
      facts: {
        machine: {
          os: 'darwin',
          arch: 'arm64',
          cores: 8,
          memoryMb: 65_536,
          gpus: [{ vendor: 'apple', name: 'M3', memoryMb: null }],
        },
        agents: [{ name: 'claude', version: null, login: 'unknown' }],
        models: [{ kind: 'ollama', url: 'http://127.0.0.1:11434', models: ['llama3:latest'] }],
        labels: { site: 'lab' },
      },
      mood: { unable: ['its disk is full'], draining: true },
    });
    expect(read(contentOf(said))).toEqual(said);
  });

  test('cannot move the cursor of whoever lists it, nor turn a line around', () => {
    const { facts } = read(
      contentOf(heartbeat('A', { facts: { node: 'good\u001b[2J\u202Eevil\n', labels: { 'a\u0007': 'b\r' } } })),
    );
    expect(facts.node).toBe('good[2Jevil');
    expect(facts.labels).toEqual({ a: 'b' });
  });

  test('is noted of whoever says it of himself, trusted or not, and of nobody else', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const hear = (content: Record<string, unknown>) => {
      const heard = hearHeartbeat(a.db, b.say(heartbeatType, content), at);
      return heard.ok ? heard.value?.facts.node : heard.error.kind;
    };
    expect(hear(contentOf(own(b)))).toBe('A');
    expect(hear(contentOf(heartbeat('Z')))).toBe('malformed');
    expect(hear(contentOf(own(b, { facts: { userId: '@other:example.org' } })))).toBe('wrong-user');
    expect(listNodes(a.db)).toHaveLength(1);
  });

  test('that was overtaken changes nothing; one to the device is newer than what the room had before', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const says = (slotsFree: number, lane?: string) =>
      b.say(heartbeatType, contentOf(own(b, { load: { slotsFree } })), lane);
    const slots = () => readNode(a.db, b.identity.did)?.node.load.slotsFree;
    const [first, second] = [says(1), says(2)];
    hearHeartbeat(a.db, second, at);
    hearHeartbeat(a.db, first, at + 1);
    expect(slots()).toBe(2);
    hearHeartbeat(a.db, says(3, deviceLane), at + 20_000);
    expect(slots()).toBe(3);
    // Of the room's history, read late.
    hearHeartbeat(a.db, says(4), at + 10_000);
    expect(slots()).toBe(3);
    expect(readNode(a.db, b.identity.did)?.node.heardAt).toBe(at + 20_000);
  });

  test('of strangers without end does not fill the disk', () => {
    using a = makeNode('a');
    using b = makeNode('b');
    const fill = a.db.transaction(() => {
      for (let index = 0; index < 2_000; index++) {
        const did = `did:key:z6Mk${String(index).padStart(44, 'z')}` as Heartbeat['facts']['did'];
        writeHeartbeat(a.db, { heartbeat: heartbeat('A', { facts: { did } }), lane: room, seq: 1, at });
      }
    });
    fill();
    expect(hearHeartbeat(a.db, b.say(heartbeatType, contentOf(own(b))), at)).toMatchObject({
      ok: false,
      error: { kind: 'untrusted' },
    });
    expect(listNodes(a.db)).toHaveLength(2_000);
  });
});
