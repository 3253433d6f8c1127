import { defineConfig } from 'rolldown';

/**
 * One file per program and one per command that is loaded late. A module costs 0.22 ms to be found and opened, whatever is in it
 * (bench/NOTES.md), and `dag run` had 145 of them. Packages stay packages, but for those that every command line needs.
 */
const bundled = new Set(['commander', 'smol-toml']);

/** A command that needs no room loads no Matrix code; the keys (`matrix/crypto`) are loaded only by those who open a device. */
const matrix = /\/src\/(?:matrix|bridge|cli\/matrix)\//;
const lightMatrix = /\/src\/(?:matrix\/[^/]+|matrix\/homeserver\/[^/]+|cli\/matrix\/[^/]+)\.ts$/;

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
      // What several commands share comes as one file; what one alone needs stays with it.
      groups: [
        { name: 'shared', minShareCount: 4, entriesAware: false, test: (id) => !matrix.test(id) },
        { name: 'matrix', minShareCount: 4, entriesAware: false, test: lightMatrix },
      ],
      // Else what a group's modules import comes along: a module of `shared` must not bring `matrix`, nor the other way round.
      includeDependenciesRecursively: false,
    },
  },
});
