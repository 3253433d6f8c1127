import { defineConfig } from 'rolldown';

/**
 * One file per program and one per command that is loaded late. A module costs 0.22 ms to be found and opened, whatever is in it
 * (bench/NOTES.md), and `dag run` had 145 of them. Packages stay packages, but for those that every command line needs.
 */
const bundled = new Set(['commander', 'smol-toml']);

/** A command that needs no room loads no Matrix code; the keys (`matrix/crypto`) are loaded only by those who open a device. */
const matrix = /\/src\/(?:matrix|bridge|cli\/matrix)\//;
const lightMatrix = /\/src\/(?:matrix\/[^/]+|matrix\/homeserver\/[^/]+|cli\/matrix\/[^/]+)\.ts$/;

function roomOf(id: string): string {
  return /\/src\/(\w+)\//.exec(id)?.[1] ?? /\/node_modules\/([\w-]+)\//.exec(id)?.[1] ?? 'shared';
}

export default defineConfig({
  input: { cli: 'src/cli/main.ts', host: 'src/host/main.ts', 'hook-main': 'src/agents/hook-main.ts' },
  platform: 'node',
  preserveEntrySignatures: false,
  logLevel: 'silent',
  external: (id) => !id.startsWith('.') && !id.startsWith('/') && !bundled.has(id),
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    cleanDir: true,
    comments: false,
    codeSplitting: {
      // What several commands share comes as one file a room, what one alone needs stays with it: a file costs 0.22 ms to be found,
      // and one that held all that is shared cost every command 20 ms.
      groups: [
        { name: 'matrix', minShareCount: 4, entriesAware: false, test: lightMatrix, priority: 2 },
        {
          name: roomOf,
          minShareCount: 4,
          entriesAware: false,
          test: (id) => !matrix.test(id) && !id.includes('/src/cli/'),
          priority: 1,
        },
      ],
      // Else what a group's modules import comes along: a module of `shared` must not bring `matrix`, nor the other way round.
      includeDependenciesRecursively: false,
    },
  },
});
