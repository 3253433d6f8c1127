import { fileURLToPath } from 'node:url';

/** The argv that agents are given to report with; the agent's name is added to it. */
export function hookCommand(): readonly string[] {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
  return [process.execPath, fileURLToPath(new URL(`./hook-main.${extension}`, import.meta.url))];
}
