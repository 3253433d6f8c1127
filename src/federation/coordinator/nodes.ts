import { breakerAt, nextBreaker, type BreakerEvent } from '../../domain/fleet/breaker.ts';
import type { Did } from '../../domain/fleet/did.ts';
import type { Heartbeat, HeldLease, KnownNode } from '../../domain/fleet/facts.ts';
import { silentAfterMs } from '../../domain/fleet/liveness.ts';
import type { Candidate } from '../../domain/fleet/place.ts';
import { freeSlots } from '../../domain/fleet/slots.ts';
import type { RunId } from '../../domain/ids.ts';
import { listFleetNodes, writeBreaker, writeHeardAt, type FleetNodeRow } from '../../storage/fleet-leases.ts';
import { readFleetLink } from '../../storage/fleet.ts';
import { writeHeartbeat } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { isTrusted } from '../trust.ts';

/** The nodes that a coordinator knows, and what it thinks of them. */
export interface Nodes {
  find(did: Did): FleetNodeRow | null;
  nameOf(did: Did): string;
  /** True when nothing was known of it, or it had been lost. */
  beat(heartbeat: Heartbeat, room: string | null): boolean;
  heard(did: Did): void;
  judge(did: Did, event: BreakerEvent): void;
  /** Not heard for too long, although we hear the homeserver. */
  isSilent(did: Did, now: number): boolean;
  /**
   * As they stand for the question who may have a task. `heldBy`: what we gave each; `ahead`:
   * so many times its slots a node that works for us alone may have, as a queue of its own.
   */
  candidates(heldBy: (did: Did) => readonly HeldLease[], now: number, ahead?: number): Candidate[];
  /** Whom to tell that we live. */
  all(): readonly FleetNodeRow[];
}

/** A row is written again only when so much time has passed: that it was heard is worth no disk. */
const noteHeardMs = 5_000;

export function openNodes(db: Db, ownDid: Did, run: RunId): Nodes {
  const rows = new Map(listFleetNodes(db).map((row) => [row.did, { ...row, writtenAt: row.heardAt }]));
  const runs = new Set([run]);
  const trusted = new Map<Did, boolean>();
  let trustedAt = -Infinity;

  /** Silence counts only while we could have heard something. */
  const heardAt = (row: FleetNodeRow, now: number): number => {
    const upSince = readFleetLink(db);
    return upSince === null ? now : Math.max(row.heardAt, upSince);
  };
  const isTrustedNow = (did: Did, now: number): boolean => {
    if (now - trustedAt > 1000) {
      trusted.clear();
      trustedAt = now;
    }
    const known = trusted.get(did) ?? isTrusted(db, ownDid, did, 'worker');
    trusted.set(did, known);
    return known;
  };

  return {
    find: (did) => rows.get(did) ?? null,
    nameOf: (did) => rows.get(did)?.name ?? did,
    beat(heartbeat, room) {
      const { did, node, userId, deviceId } = heartbeat.facts;
      const before = rows.get(did);
      const now = Date.now();
      writeHeartbeat(db, { heartbeat, lane: room, seq: null, at: now });
      const breaker = before?.breaker ?? { kind: 'closed', failures: 0 };
      const latencyMs = before?.latencyMs ?? null;
      rows.set(did, { did, name: node, userId, deviceId, heartbeat, heardAt: now, writtenAt: now, breaker, latencyMs });
      return before === undefined || now - before.heardAt > silentAfterMs;
    },
    heard(did) {
      const row = rows.get(did);
      if (row === undefined) return;
      const now = Date.now();
      const isDue = now - row.writtenAt > noteHeardMs;
      rows.set(did, { ...row, heardAt: now, writtenAt: isDue ? now : row.writtenAt });
      if (isDue) writeHeardAt(db, did, now);
    },
    judge(did, event) {
      const row = rows.get(did);
      if (row === undefined) return;
      const breaker = nextBreaker(row.breaker, event, Date.now());
      if (breaker === row.breaker) return;
      rows.set(did, { ...row, breaker });
      writeBreaker(db, did, breaker);
    },
    isSilent(did, now) {
      const row = rows.get(did);
      return row === undefined ? false : now - heardAt(row, now) > silentAfterMs;
    },
    candidates(heldBy, now, ahead = 1) {
      return [...rows.values()].flatMap((row): Candidate[] => {
        if (row.heartbeat === null) return [];
        const node: KnownNode = { ...row.heartbeat, heardAt: heardAt(row, now), latencyMs: row.latencyMs };
        const own = heldBy(row.did);
        const isOurs = ahead > 1 && node.leases.every((lease) => runs.has(lease.run));
        const queue = isOurs ? node.facts.slots * ahead - own.length : 0;
        const free = Math.max(queue, freeSlots(node, own, runs));
        return [{ node, trusted: isTrustedNow(row.did, now), breaker: breakerAt(row.breaker, now), free }];
      });
    },
    all: () => [...rows.values()],
  };
}
