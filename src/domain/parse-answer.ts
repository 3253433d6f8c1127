import type { Answer, Block } from './block.ts';
import { err, ok, type Result } from './result.ts';

/**
 * Reads what a person says to a question: the number of a choice, its label or the beginning of it, the key that the program shows
 * for it; else text. A menu takes no text: then the error says what there is.
 */
export function parseAnswer(block: Pick<Block, 'choices' | 'input'>, said: string): Result<Answer, string> {
  const { choices, input } = block;
  if (choices.length === 0) return ok({ kind: 'text', text: said });
  const wanted = said.trim().toLowerCase();
  const index = findChoice(choices, wanted);
  if (index !== null) return ok({ kind: 'choose', index });
  if (input === 'line') return ok({ kind: 'text', text: said });
  return err(wanted === '' ? 'say which choice' : `"${said}" is none of the choices, or fits several of them`);
}

/** A number counts as the choice's place, unless the program itself shows it for another one. */
function findChoice(choices: Block['choices'], wanted: string): number | null {
  const only = (test: (choice: Block['choices'][number]) => boolean): number | null => {
    const found = choices.flatMap((choice, index) => (test(choice) ? [index] : []));
    return found.length === 1 ? (found[0] ?? null) : null;
  };
  if (wanted === '') return null;
  const byKey = only((choice) => choice.key?.toLowerCase() === wanted);
  if (byKey !== null) return byKey;
  if (/^\d+$/.test(wanted)) return choices[Number(wanted) - 1] === undefined ? null : Number(wanted) - 1;
  const byLabel = only((choice) => choice.label.toLowerCase() === wanted);
  return byLabel ?? only((choice) => choice.label.toLowerCase().startsWith(wanted));
}
