import type { Change, Decision } from './replay.ts';

/** One change of verdict, with what the monitor had decided by then. */
export interface ComparedChange {
  readonly change: Change;
  readonly index: Decision;
  readonly differs: boolean;
}

/** Two monitors look at the same screen at most so far apart; a machine under load later, but while the verdict holds. */
const nearSeconds = 1.5;

/**
 * Puts the verdicts of a replay beside those of the recording's index. A mark that has no change of its own, and says something else
 * than the replay then, is a line too: what is decided no more counts as much as what is decided anew.
 */
export function compareWithIndex(changes: readonly Change[], marks: readonly Decision[]): ComparedChange[] {
  const left = new Set(marks);
  const paired = changes.map((change, index) => {
    const until = changes[index + 1]?.at ?? Infinity;
    const near = [...left].filter(
      ({ at, state }) => state === change.state && at >= change.at - nearSeconds && at <= until + nearSeconds,
    );
    const mark = near.find(({ rule }) => rule === change.rule) ?? near[0];
    if (mark !== undefined) left.delete(mark);
    return compared(change, mark ?? inForce(marks, change.at));
  });
  const others = [...left].map((mark) => compared({ ...inForce(changes, mark.at), at: mark.at }, mark));
  return [...paired, ...others.filter(({ differs }) => differs)].toSorted((a, b) => a.change.at - b.change.at);
}

function compared(change: Change, index: Decision): ComparedChange {
  return { change, index, differs: change.state !== index.state || isOtherQuestion(change, index) };
}

/** A block that a hook or the kernel told of is the same one; of two rules that read the screen, one is wrong. */
function isOtherQuestion(change: Change, index: Decision): boolean {
  return change.state === 'blocked' && change.rule !== index.rule && !/^(?:hook|kernel)\b/.test(index.rule);
}

function inForce<D extends Decision>(all: readonly D[], at: number): D | Decision {
  return all.findLast((one) => one.at <= at) ?? { at: 0, state: 'unknown', rule: 'start' };
}
