import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The files that `require` brings along as a file is loaded, and not `import()` later. */
function loadedWith(file: string, into: Set<string> = new Set()): Set<string> {
  if (into.has(file)) return into;
  into.add(file);
  for (const [, next = ''] of readFileSync(`dist/${file}`, 'utf8').matchAll(
    /^(?:const|let|var)? ?[^;=]*=? ?require\("\.\/([^"]+)"\)/gm,
  )) {
    loadedWith(next, into);
  }
  return into;
}

/** `cis node list` is about the nodes of a room. */
const isOfNodes = (file: string): boolean => readFileSync(`dist/${file}`, 'utf8').includes('// src/cli/node/');

test('no program and no command but those for rooms loads Matrix code', () => {
  const isMatrix = (file: string): boolean =>
    /_matrix\/client|matrix-js-sdk|crypto-wasm/.test(readFileSync(`dist/${file}`, 'utf8'));
  const starts = [
    'cli.js',
    'host.js',
    ...readdirSync('dist').filter(
      (file) => /^(run|execute|list|attach|serve|shared)-.{8}\.js$/.test(file) && !isOfNodes(file),
    ),
  ];
  expect(starts.length).toBeGreaterThan(5);
  expect(loadedWith('cli.js').size).toBeGreaterThan(1);
  for (const start of starts) {
    const matrix = [...loadedWith(start)].filter(isMatrix);
    expect({ start, matrix }).toEqual({ start, matrix: [] });
  }
});
