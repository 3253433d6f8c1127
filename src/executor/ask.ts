import type { AnswerSource } from '../domain/block.ts';
import type { RequestOutcome, RunRequest } from '../domain/request.ts';
import { releaseLease, takeLease } from '../storage/lease.ts';
import { readLease } from '../storage/read.ts';
import { insertRequest, readOutcome } from '../storage/request.ts';
import { Driver, type DriveEnd, type DriveOptions } from './driver.ts';
import { isHolderAlive, thisDriver } from './identity.ts';
import { loadModel } from './load.ts';

export type AskOptions = Omit<
  DriveOptions,
  'model' | 'epoch' | 'wait' | 'onlyRequests' | 'startPaused' | 'isTakeover' | 'show'
>;

export type AskOutcome = RequestOutcome | { readonly kind: 'failed'; readonly end: DriveEnd };

/** A driver that dies is noticed after this long at the latest; while it lives it wakes us itself. */
const lookAgainMs = 2_000;

/**
 * Tells whoever drives the run what a person wishes, and returns what became of it. When nobody drives it, takes the lease and
 * applies the wish itself.
 */
export async function askRun(options: AskOptions, request: RunRequest, source: AnswerSource): Promise<AskOutcome> {
  const { db, settings } = options;
  const id = insertRequest(db, settings.run, request, source, Date.now());
  for (;;) {
    const outcome = readOutcome(db, id);
    if (outcome !== null) return outcome;
    const lease = readLease(db, settings.run);
    if (lease !== null && isHolderAlive(lease)) await waitForDriver(options, id);
    else {
      const end = await applyAlone(options);
      if (end !== null && end.kind !== 'left' && end.kind !== 'over') return { kind: 'failed', end };
    }
  }
}

/** Wakes the driver and waits until the wish is decided or the driver may have gone. */
async function waitForDriver(options: AskOptions, id: number): Promise<void> {
  const { home, what, connect, settings, db } = options;
  const connected = await connect({ home, what, start: false });
  if (!connected.ok) return wait(100); // between two hosts
  using connection = connected.value;
  const woken = Promise.withResolvers<void>();
  connection.listen({ poke: () => void (readOutcome(db, id) !== null && woken.resolve()) });
  void connection.request({ kind: 'follow', run: settings.run, after: Number.MAX_SAFE_INTEGER });
  void connection.request({ kind: 'poke', run: settings.run });
  const timer = setTimeout(woken.resolve, lookAgainMs);
  await Promise.race([woken.promise, connection.closed]);
  clearTimeout(timer);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

async function applyAlone(options: AskOptions): Promise<DriveEnd | null> {
  const { db, settings, what } = options;
  const lease = takeLease(db, settings.run, thisDriver(what), isHolderAlive);
  if (!lease.ok) return null;
  try {
    const model = loadModel(db, settings, performance.now() - Date.now());
    const show = (): void => {};
    const more = {
      model,
      epoch: lease.value,
      wait: 'always',
      onlyRequests: true,
      startPaused: false,
      isTakeover: false,
      show,
    } as const;
    return await new Driver({ ...options, ...more }).drive();
  } finally {
    releaseLease(db, settings.run, lease.value);
  }
}
