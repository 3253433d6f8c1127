import { parseTOML, type AST } from 'toml-eslint-parser';
import type { Range, Ranges } from './position.ts';

/** Where each key and value of a TOML text stands, by path; offsets in UTF-16 units. */
export function locateToml(text: string): Ranges {
  const keys = new Map<string, Range>();
  const values = new Map<string, Range>();
  const put = (into: Map<string, Range>, path: readonly (string | number)[], node: AST.TOMLNode): void => {
    const name = JSON.stringify(path);
    if (!into.has(name)) into.set(name, { start: node.range[0], end: node.range[1] });
  };
  const pair = (node: AST.TOMLKeyValue, above: readonly (string | number)[]): void => {
    let path = above;
    for (const key of node.key.keys) {
      path = [...path, key.type === 'TOMLBare' ? key.name : key.value];
      put(keys, path, key);
      put(values, path, node.value);
    }
    value(node.value, path);
  };
  const value = (node: AST.TOMLContentNode, path: readonly (string | number)[]): void => {
    if (node.type === 'TOMLInlineTable') for (const inner of node.body) pair(inner, path);
    if (node.type !== 'TOMLArray') return;
    for (const [index, element] of node.elements.entries()) {
      put(values, [...path, index], element);
      value(element, [...path, index]);
    }
  };
  for (const node of parseTOML(text).body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      pair(node, []);
      continue;
    }
    for (let depth = 1; depth <= node.resolvedKey.length; depth++) {
      put(keys, node.resolvedKey.slice(0, depth), node.key);
      put(values, node.resolvedKey.slice(0, depth), node.key);
    }
    for (const inner of node.body) pair(inner, node.resolvedKey);
  }
  return { key: (path) => keys.get(JSON.stringify(path)), value: (path) => values.get(JSON.stringify(path)) };
}
