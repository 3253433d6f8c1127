import { parseTOML, type AST } from 'toml-eslint-parser';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where in a TOML text the key stands to which `path` leads, or the nearest that leads there; line and column from 1. */
export function findPosition(text: string, path: readonly (string | number)[]): Position {
  let best: { depth: number; at: Position } = { depth: -1, at: { line: 1, column: 1 } };
  for (const [keys, loc] of listKeys(text)) {
    const depth = Math.min(keys.length, path.length);
    const fits = keys.slice(0, depth).every((key, index) => key === path[index]);
    if (fits && depth > best.depth) best = { depth, at: { line: loc.start.line, column: loc.start.column + 1 } };
  }
  return best.at;
}

type Located = [keys: (string | number)[], loc: AST.SourceLocation];

function* listKeys(text: string): Generator<Located> {
  for (const node of parseTOML(text).body[0].body) {
    if (node.type === 'TOMLKeyValue') yield* listPairs(node, []);
    else {
      yield [node.resolvedKey, node.key.loc];
      for (const pair of node.body) yield* listPairs(pair, node.resolvedKey);
    }
  }
}

function* listPairs(pair: AST.TOMLKeyValue, above: (string | number)[]): Generator<Located> {
  const keys = [...above, ...pair.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value))];
  yield [keys, pair.key.loc];
  if (pair.value.type === 'TOMLInlineTable') for (const inner of pair.value.body) yield* listPairs(inner, keys);
}
