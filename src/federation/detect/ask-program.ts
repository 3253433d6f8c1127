import { execFile } from 'node:child_process';

/** A driver that hangs must not hold up the node. */
const patienceMs = 3_000;

/** What a program printed; null when it is not there, failed or took too long. */
export function askProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  const options = {
    timeout: patienceMs,
    env: { ...env, LC_ALL: 'C' },
    encoding: 'utf8',
    killSignal: 'SIGKILL',
  } as const;
  return new Promise((resolve) => {
    const child = execFile(program, [...args], options, (error, stdout) => resolve(error === null ? stdout : null));
    child.stdin?.end();
  });
}
