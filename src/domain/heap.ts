/** A priority queue over values that `before` orders: push and pop in O(log n). */
export interface Heap<T> {
  readonly size: number;
  push(value: T): void;
  peek(): T | undefined;
  pop(): T | undefined;
}

export function openHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  const at = (index: number): T => items[index] as T;
  const swap = (a: number, b: number): void => {
    const kept = at(a);
    items[a] = at(b);
    items[b] = kept;
  };
  const rise = (from: number): void => {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(at(index), at(parent))) return;
      swap(index, parent);
      index = parent;
    }
  };
  const sink = (): void => {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= items.length) return;
      const least = left + 1 < items.length && before(at(left + 1), at(left)) ? left + 1 : left;
      if (!before(at(least), at(index))) return;
      swap(index, least);
      index = least;
    }
  };
  return {
    get size() {
      return items.length;
    },
    push(value) {
      items.push(value);
      rise(items.length - 1);
    },
    peek: () => items[0],
    pop() {
      const first = items[0];
      const last = items.pop();
      if (items.length > 0 && last !== undefined) {
        items[0] = last;
        sink();
      }
      return first;
    },
  };
}
