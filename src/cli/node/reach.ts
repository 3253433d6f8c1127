import { openReach, type KnownAddress } from '../../federation/remote/reach.ts';
import { home } from '../context.ts';

/** How long a node took to answer; ms. */
export interface RoundTrip {
  /** Until a sealed channel was open: two messages through the homeserver. */
  readonly openMs: number;
  /** Of each request after that. */
  readonly roundMs: readonly number[];
}

export type Ping = ({ readonly ok: true } & RoundTrip) | { readonly ok: false; readonly reason: string };

/** Asks a node something small so often, through a sealed channel; it must trust this home as a coordinator, or name it. */
export async function pingNode(node: KnownAddress, count: number, answerMs = 15_000): Promise<Ping> {
  const reach = openReach(home(), { what: `ping (pid ${process.pid})`, answerMs });
  if (!reach.ok) return { ok: false, reason: reach.error };
  using opened = reach.value;
  const start = performance.now();
  const host = await opened.host(node);
  if (!host.ok) return { ok: false, reason: host.error };
  const openMs = performance.now() - start;
  const roundMs: number[] = [];
  for (let index = 0; index < count; index++) {
    const asked = performance.now();
    const reply = await host.value.request({ kind: 'list', run: null });
    if (!reply.ok)
      return {
        ok: false,
        reason: host.value.goneBecause ?? `${node.name} answers with an error (${reply.error.kind})`,
      };
    roundMs.push(performance.now() - asked);
  }
  return { ok: true, openMs, roundMs };
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
