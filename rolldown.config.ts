import { defineConfig } from 'rolldown';

/**
 * One file per program and one per command that is loaded late. A module costs 0.22 ms to be found and opened, whatever is in it
 * (bench/NOTES.md), and `dag run` had 145 of them. Packages stay packages, but for those that every command line needs.
 */
const bundled = new Set(['commander', 'smol-toml']);

export default defineConfig({
  input: { cli: 'src/cli/main.ts', host: 'src/host/main.ts', 'hook-main': 'src/agents/hook-main.ts' },
  platform: 'node',
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
      groups: [{ name: 'shared', minShareCount: 4, entriesAware: false }],
    },
  },
});
