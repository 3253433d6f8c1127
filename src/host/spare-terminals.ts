import type { Terminal } from '@xterm/headless';
import { fold, unfold } from './fold.ts';
import { coreOf } from './xterm-core.ts';

export interface SpareTerminals {
  /** Gives a terminal of that state, blank without one; another session may have used it before. */
  take(cols: number, rows: number, folded: Uint8Array | null): Terminal;
  /** Takes a terminal back that nobody needs, but whose output stopped neither within a sequence nor within a character. */
  giveBack(terminal: Terminal): void;
}

/** A terminal takes half a millisecond to make, and a collection of garbage to get rid of its memory. */
const maxSpare = 16;

/** Keeps some terminals, to be used again by whichever session is looked at next. */
export function openSpareTerminals(open: (cols: number, rows: number) => Terminal): SpareTerminals {
  const spare: Terminal[] = [];
  const blanks = new Map<string, Uint8Array>();

  function find(cols: number, rows: number): Terminal | null {
    const index = spare.findLastIndex((terminal) => terminal.cols === cols && terminal.rows === rows);
    return index === -1 ? null : (spare.splice(index, 1)[0] ?? null);
  }

  function blankOf(cols: number, rows: number): Uint8Array {
    const size = `${cols}x${rows}`;
    const known = blanks.get(size) ?? fold(open(cols, rows));
    if (known === null) throw new Error('a new terminal cannot be folded');
    blanks.set(size, known);
    return known;
  }

  return {
    take(cols, rows, folded) {
      if (folded !== null)
        return unfold(folded, (foldedCols, foldedRows) => find(foldedCols, foldedRows) ?? open(foldedCols, foldedRows));
      const used = find(cols, rows);
      return used === null ? open(cols, rows) : unfold(blankOf(cols, rows), () => used);
    },
    giveBack(terminal) {
      const hasLinks = coreOf(terminal)._oscLinkService._dataByLinkId.size > 0; // they have numbers of their own
      if (spare.length < maxSpare && !hasLinks) spare.push(terminal);
      else terminal.dispose();
    },
  };
}
