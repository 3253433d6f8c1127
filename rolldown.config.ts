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

const common = {
  platform: 'node',
  preserveEntrySignatures: false,
  logLevel: 'silent',
  external: (id: string) => !id.startsWith('.') && !id.startsWith('/') && !bundled.has(id),
} as const;

const output = { dir: 'dist', format: 'esm', entryFileNames: '[name].js', comments: false } as const;

const commandLine = defineConfig({
  ...common,
  input: { cli: 'src/cli/main.ts', 'hook-main': 'src/agents/hook-main.ts' },
  output: {
    ...output,
    chunkFileNames: '[name]-[hash].js',
    cleanDir: true,
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

/** The host and its spawner share no file with the command line: they hold what they need and nothing else, for as long as they live. */
const host = defineConfig({
  ...common,
  input: { host: 'src/host/main.ts', spawner: 'src/host/spawner-main.ts' },
  output: { ...output, chunkFileNames: 'host-[name]-[hash].js' },
});

export default [commandLine, host];
