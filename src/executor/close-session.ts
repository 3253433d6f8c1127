import type { CloseStep } from '../agents/profile.ts';
import type { SessionId } from '../domain/ids.ts';
import type { HostConnection } from '../host/port.ts';

/** Types what ends a program in its own way, one step after the other, until `ended` resolves or nothing is left to type. */
export async function closeSession(
  connection: HostConnection,
  session: SessionId,
  steps: readonly CloseStep[],
  ended: Promise<void>,
): Promise<void> {
  for (const { keys, thenWaitMs } of steps) {
    const written = await connection.request({
      kind: 'write',
      session,
      base64: Buffer.from(keys).toString('base64'),
    });
    if (!written.ok || (await settlesWithin(ended, thenWaitMs))) return;
  }
}

async function settlesWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  const settled = await Promise.race([promise.then(() => true), late.promise]);
  clearTimeout(timer);
  return settled;
}
