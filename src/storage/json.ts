/** What was written by `toJson` from a `T`, and by nobody else. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function toJson(value: object): string {
  return JSON.stringify(value);
}
