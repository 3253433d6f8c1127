import type { RunPicture } from '../domain/picture.ts';

/** Whether a run has ended, as far as its picture goes; a person may still carry it on. */
export function isRunOver({ state }: Pick<RunPicture, 'state'>): boolean {
  return state === 'completed' || state === 'failed' || state === 'aborted';
}
