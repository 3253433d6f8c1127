import type { Home } from '../../config/home.ts';
import { describeRefusal, mayAnswer, type NodePolicy } from '../../domain/fleet/policy.ts';
import type { RunId } from '../../domain/ids.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { openPause } from '../../matrix/pause.ts';
import type { Db } from '../../storage/open.ts';
import { hasWorkOf } from '../../storage/remote-sessions.ts';
import type { Identity } from '../identity.ts';
import { checkTrust } from '../trust.ts';
import { connectCarrier } from './carrier.ts';
import { serveCaller } from './gate.ts';
import { Line, type Caller } from './line.ts';

export interface ServiceOptions {
  readonly home: Home;
  readonly db: Db;
  readonly identity: Identity;
  readonly policy: NodePolicy;
  /** `node.policy.passwords`. */
  readonly takesPasswords: boolean;
  /** Masks secrets of this machine in text that is read elsewhere. */
  readonly mask: (text: string) => string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const retryMs = 1_000;

/**
 * Lets others look into and act on the sessions that this node runs for them, as far as its policy says. Part of the process behind
 * `cis node start`; resolves when the signal says so. A bridge that ends is started again and waited for.
 */
export async function serveRemote(options: ServiceOptions): Promise<void> {
  const { home, identity, signal, say } = options;
  let said = '';
  while (!signal.aborted) {
    const carrier = await connectCarrier(home, { serve: true });
    if (!carrier.ok) {
      if (carrier.error !== said) say((said = carrier.error));
      await openPause().wait(retryMs, signal);
      continue;
    }
    said = '';
    using open = carrier.value;
    // It may have come while the bridge was waited for: then nobody would tell it any more.
    if (signal.aborted) return;
    const judge = (caller: Caller): Result<null, string> => judgeCaller(options, caller);
    const gate = {
      home,
      mask: options.mask,
      say,
      mayStay: judge,
      takesPasswords: () => options.takesPasswords,
      speaksForOthers: (caller: Caller) => isCoordinator(options, caller),
      maySee: (run: RunId) => hasWorkOf(options.db, run),
    };
    const line = new Line({
      carrier: open,
      identity,
      answer: { judge, serve: (channel, caller) => serveCaller(gate, channel, caller) },
    });
    const stop = (): void => open[Symbol.dispose]();
    signal.addEventListener('abort', stop, { once: true });
    await open.closed;
    signal.removeEventListener('abort', stop);
    line.close();
    await openPause().wait(retryMs, signal);
  }
}

function isCoordinator({ db, identity }: ServiceOptions, { did, userId }: Caller): boolean {
  return checkTrust({ did, userId, seq: 0 }, { db, ownDid: identity.did, role: 'coordinator' }).ok;
}

function judgeCaller(options: ServiceOptions, caller: Caller): Result<null, string> {
  const coordinator = isCoordinator(options, caller);
  const allowed = mayAnswer(options.policy, { ...caller, coordinator });
  return allowed.ok ? ok(null) : err(describeRefusal(allowed.error));
}
