/** Makes a forgotten variant of a union a compile error where every variant matters. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
