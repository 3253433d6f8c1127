import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin, type RolldownOptions } from 'rolldown';

/**
 * One file per program and one per command that is loaded late. A module costs 0.22 ms to be found and opened, whatever is in it
 * (bench/NOTES.md), and `dag run` had 145 of them. Packages stay packages, but for those that every command line needs.
 */
const bundled = new Set(['commander', 'smol-toml', 'better-sqlite3']);

const isProgramStarter = (id: string, importer?: string): boolean =>
  id === 'node:child_process' && importer?.includes('/node_modules/commander/') === true;

/** Commander can run commands that are programs of their own, which ours are not: what starts programs takes 4 ms to load. */
const noPrograms: Plugin = {
  name: 'no-programs',
  resolveId: (id, importer) => (isProgramStarter(id, importer) ? '\0no-programs' : null),
  load: (id) => (id === '\0no-programs' ? 'export default {}' : null),
};

/** The code of better-sqlite3 is 13 files; its native part stays in the package, and is found from `dist`. */
const sqliteBinding: Plugin = {
  name: 'sqlite-binding',
  transform(code, id) {
    if (!id.endsWith('/better-sqlite3/lib/binding.js')) return null;
    return `${code.replaceAll('__dirname', 'findLib()')}
function findLib() {
  const beside = path.join(__dirname, '..', 'node_modules', 'better-sqlite3', 'lib');
  if (fs.existsSync(beside)) return beside;
  return path.dirname(require('node:module').createRequire(__filename).resolve('better-sqlite3'));
}
`;
  },
};

/** A command that needs no room loads no Matrix code; the keys (`matrix/crypto`) are loaded only by those who open a device. */
const matrix = /\/src\/(?:matrix|bridge|cli\/matrix)\//;
const lightMatrix = /\/src\/(?:matrix\/[^/]+|matrix\/homeserver\/[^/]+|cli\/matrix\/[^/]+)\.ts$/;

function roomOf(id: string): string {
  return /\/src\/(\w+)\//.exec(id)?.[1] ?? /\/node_modules\/([\w-]+)\//.exec(id)?.[1] ?? 'shared';
}

/** `dist` is CommonJS below a package that is not: requiring a file takes half of what importing it does (bench/NOTES.md). */
const commonJs: Plugin = {
  name: 'common-js',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "commonjs" }\n' });
  },
};

const weekMs = 7 * 24 * 60 * 60 * 1000;

/** Files of earlier builds stay for a week: a run that is being driven, or a host, may load one of them yet. */
const removeOld: Plugin = {
  name: 'remove-old',
  writeBundle({ dir = 'dist' }, bundle) {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      const { mtimeMs } = statSync(path);
      if (!(name in bundle) && mtimeMs < Date.now() - weekMs) rmSync(path, { force: true });
    }
  },
};

const common = {
  platform: 'node',
  preserveEntrySignatures: false,
  logLevel: 'silent',
  plugins: [commonJs, noPrograms, sqliteBinding, removeOld],
  external: (id: string, importer?: string) =>
    !isProgramStarter(id, importer) && !id.startsWith('.') && !id.startsWith('/') && !bundled.has(id),
} satisfies RolldownOptions;

const output = {
  dir: 'dist',
  format: 'cjs',
  dynamicImportInCjs: false,
  entryFileNames: '[name].js',
  comments: false,
} as const;

const commandLine = defineConfig({
  ...common,
  input: { cli: 'src/cli/main.ts', 'hook-main': 'src/agents/hook-main.ts' },
  output: {
    ...output,
    chunkFileNames: '[name]-[hash].js',
    codeSplitting: {
      // What several commands share comes as one file a room, what one alone needs stays with it: a file costs 0.22 ms to be found,
      // and one that held all that is shared cost every command 20 ms.
      groups: [
        { name: 'matrix', minShareCount: 4, entriesAware: false, test: lightMatrix, priority: 2 },
        {
          name: roomOf,
          minShareCount: 4,
          entriesAware: false,
          // Whether there are other nodes is asked by every command that looks at sessions; the rest of that room is for those who have some.
          test: (id) => !matrix.test(id) && !/\/src\/(?:cli\/|federation\/in-fleet)/.test(id),
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
