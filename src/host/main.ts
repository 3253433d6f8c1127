import { closeSync, writeSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { openSpawner } from './spawner.ts';

/**
 * The program of the host process: `main.js HOME MAJOR IDLE_MS`. Descriptor 3, when there is one, is told `ready`, or why not.
 * It is not a command of the CLI on purpose: what starts sessions must load little (fork copies its page tables).
 */
enableCompileCache();
const spawner = openSpawner(); // first of all: it starts while we load
const [dir = '', major = '1', idleMs = '60000'] = process.argv.slice(2);
process.title = 'cis host';
process.on('uncaughtException', (error) => console.error(`cis host: ${error.stack ?? error.message}`));

async function main(): Promise<void> {
  const [{ serveHost }, { homeAt }] = await Promise.all([import('./serve.ts'), import('../config/home.ts')]);
  const onReady = (): void => tell('ready');
  const outcome = await serveHost({
    home: homeAt(dir),
    major: Number(major),
    idleMs: Number(idleMs),
    spawner,
    onReady,
  });
  if (!outcome.ok) tell(outcome.error.kind === 'not-yours' ? JSON.stringify(outcome.error) : 'failed');
}

main()
  .catch((error: unknown) => {
    console.error('cis host: cannot start:', error);
    tell(error instanceof Error ? error.message : String(error));
  })
  .finally(() => process.exit(0));

function tell(text: string): void {
  try {
    writeSync(3, text);
    closeSync(3);
  } catch {
    // started by hand, or told already
  }
}
