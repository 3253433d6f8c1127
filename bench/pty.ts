import { createRequire } from 'node:module';

/** What the bench uses of a node-pty terminal; the package's own types declare themselves under another name. */
export interface Pty {
  onData(listener: (text: string) => void): { dispose(): void };
  onExit(listener: () => void): { dispose(): void };
  write(text: string): void;
  kill(signal: string): void;
}

interface PtyOptions {
  readonly cols?: number;
  readonly rows?: number;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const require = createRequire(import.meta.url);

export const { spawn } = require('node-pty') as {
  readonly spawn: (file: string, args: readonly string[], options: PtyOptions) => Pty;
};
