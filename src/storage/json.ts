/** What was written by `toJson` from a `T`, and by nobody else. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows which column it reads
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function toJson(value: object): string {
  return JSON.stringify(value);
}
