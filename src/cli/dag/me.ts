import { userInfo } from 'node:os';
import type { AnswerSource } from '../../domain/block.ts';

/** Whoever calls this command. */
export function me(name?: string): AnswerSource {
  return { by: name ?? userName(), via: 'terminal' };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'somebody';
  }
}
