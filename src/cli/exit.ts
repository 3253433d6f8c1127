/** What a command ends with; scripts rely on these numbers (README, "Exit codes"). */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  'needs-person': 3,
  'not-found': 4,
  unreachable: 5,
  refused: 6,
  internal: 70,
  interrupted: 130,
} as const;

export type ExitKind = keyof typeof exitCodes;

/** A command's expected end by a problem: one line that says what happened and where, and hints that say what to do next. */
export class CommandError extends Error {
  readonly kind: ExitKind;
  readonly hints: readonly string[];

  constructor(kind: Exclude<ExitKind, 'done'>, message: string, hints: readonly string[] = []) {
    super(message);
    this.name = 'CommandError';
    this.kind = kind;
    this.hints = hints;
  }
}
