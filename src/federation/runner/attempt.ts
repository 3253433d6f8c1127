import { err, type Result } from '../../domain/result.ts';
import type { Refused } from './execution.ts';

/** An order that is not as orders are, or a machine that has no room for its files, is no reason to fall. */
export function attempt<T>(make: () => Result<T, Refused>): Result<T, Refused> {
  try {
    return make();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const isMachine = error instanceof Error && 'code' in error;
    return err({ errorClass: isMachine ? 'infra' : 'task', reason });
  }
}
