import type { RunSettings } from '../domain/run.ts';

/** Whether outputs of a run may go to its room: its own word beats the config's, and what is sensitive never goes. */
export function maySendOutput({ matrix }: Pick<RunSettings, 'matrix'>, configured: boolean): boolean {
  return !matrix.sensitive && (matrix.broadcastOutput ?? configured);
}
