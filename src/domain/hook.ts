import type { BlockKind } from './block.ts';

/**
 * What an agent's own hook says of its session, after it was read from the program's payload. `thread` is the program's id of the
 * conversation, with which a later session can carry it on.
 */
export type HookReport =
  | { readonly kind: 'started'; readonly thread: string | null }
  | { readonly kind: 'working'; readonly thread: string | null }
  | {
      readonly kind: 'blocked';
      readonly thread: string | null;
      readonly block: BlockKind;
      readonly question: string;
      /** What it wants to run, when it says so. */
      readonly command: string | null;
      /** How its tool is called in the program: `Bash`, `run_shell_command`. */
      readonly tool: string | null;
    }
  | { readonly kind: 'turn-done'; readonly thread: string | null; readonly message: string | null }
  /** The turn ended without an answer of the model. */
  | { readonly kind: 'turn-failed'; readonly thread: string | null; readonly block: BlockKind; readonly reason: string }
  | { readonly kind: 'ended'; readonly thread: string | null; readonly reason: string };

/** A session finds its host by these; without them a hook is silent, so that a copied command harms nobody. */
export const hookSocketVariable = 'CIS_HOOK_SOCKET';
export const hookTokenVariable = 'CIS_HOOK_TOKEN';
