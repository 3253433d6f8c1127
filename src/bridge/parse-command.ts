import { err, ok, type Result } from '../domain/result.ts';

/** What a person may ask of cis in a room. */
export type RoomCommand =
  | { readonly kind: 'help' | 'runs' }
  | { readonly kind: 'status'; readonly run: string | null }
  | { readonly kind: 'logs' | 'kill'; readonly session: string }
  | { readonly kind: 'pause' | 'resume'; readonly run: string }
  | { readonly kind: 'tell'; readonly run: string | null }
  | { readonly kind: 'run'; readonly name: string };

/** Whether a message is meant for cis at all. */
export function isCommand(text: string): boolean {
  return /^\s*!cis(?:\s|$)/i.test(text);
}

/** Reads `!cis …`, or says what is wrong with it. */
export function parseCommand(text: string): Result<RoomCommand, string> {
  const [, word = 'help', argument, ...rest] = text.trim().split(/\s+/);
  const kind = word.toLowerCase();
  if (rest.length > 0) return err(`!cis ${kind} takes one word after it`);
  switch (kind) {
    case 'help':
    case 'runs':
      return ok({ kind });
    case 'status':
    case 'tell':
      return ok({ kind, run: argument ?? null });
    case 'run':
      return argument === undefined ? err('name a DAG: !cis run NAME') : ok({ kind, name: argument });
    case 'logs':
    case 'kill':
      return argument === undefined ? err(`name a session: !cis ${kind} RUN:TASK`) : ok({ kind, session: argument });
    case 'pause':
    case 'resume':
      return argument === undefined ? err(`name a run: !cis ${kind} RUN`) : ok({ kind, run: argument });
    default:
      return err(`there is no such command: !cis help shows what there is`);
  }
}
