/** Runs pieces of work one after another, in the order they came; one that fails does not stop the next. */
export interface Turns {
  next<T>(work: () => Promise<T>): Promise<T>;
}

export function openTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    next(work) {
      const mine = last.then(work, work);
      last = mine.catch(() => {});
      return mine;
    },
  };
}
