import { findNodeAtLocation, parse, parseTree, printParseErrorCode, type ParseError } from 'jsonc-parser';
import type { Ranges } from './position.ts';

/** Where each key and value of a JSON text stands, by path; offsets in UTF-16 units. */
export function locateJson(text: string): Ranges {
  const root = parseTree(text);
  const find = (path: readonly (string | number)[]): ReturnType<typeof findNodeAtLocation> =>
    root === undefined ? undefined : findNodeAtLocation(root, [...path]);
  return {
    key: (path) => {
      const node = find(path);
      const key = node?.parent?.type === 'property' ? node.parent.children?.[0] : node;
      return key === undefined ? undefined : { start: key.offset, end: key.offset + key.length };
    },
    value: (path) => {
      const node = find(path);
      return node === undefined ? undefined : { start: node.offset, end: node.offset + node.length };
    },
  };
}

/** Reads JSON that may hold comments, as the older documents do; else where it is wrong and how. */
export function parseJsonWithComments(
  text: string,
): { readonly value: unknown } | { readonly message: string; readonly offset: number; readonly length: number } {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: false, disallowComments: false });
  const first = errors[0];
  if (first === undefined) return { value };
  const words = printParseErrorCode(first.error).replaceAll(/(?<!^)([A-Z])/gu, (letter) => ` ${letter.toLowerCase()}`);
  return { message: words.charAt(0).toLowerCase() + words.slice(1), offset: first.offset, length: first.length };
}
