import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { readKernelWitness, readModes, type KernelWitness } from '../../src/monitor/kernel.ts';

interface Pty {
  spawn(
    file: string,
    args: string[],
    options: object,
  ): {
    readonly pid: number;
    write(keys: string): void;
    kill(signal: string): void;
    onData(listener: (data: string) => void): void;
  };
}
const pty = createRequire(import.meta.url)('node-pty') as Pty;

/** Runs a command in a terminal and looks at it until the witness says what is expected; gives the last witness. */
async function witnessOf(command: string, expected: (witness: KernelWitness) => boolean): Promise<KernelWitness> {
  const child = pty.spawn('/bin/bash', ['-c', command], { cols: 80, rows: 24, cwd: '/' });
  try {
    let witness = readKernelWitness(child.pid);
    for (let looks = 0; looks < 400 && !expected(witness); looks += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      const modes = await readModes(child.pid);
      witness = { ...readKernelWitness(child.pid), ...modes };
    }
    return witness;
  } finally {
    child.kill('SIGKILL');
  }
}

const linux = process.platform === 'linux' ? describe : describe.skip;

linux('the kernel', () => {
  test('knows a shell that reads an answer', async () => {
    const witness = await witnessOf('read answer', ({ foreground }) => foreground === 'reading');
    expect(witness).toMatchObject({ foreground: 'reading', program: 'bash' });
  });

  test('knows the program in the foreground, not the shell behind it', async () => {
    const witness = await witnessOf('cat; true', ({ foreground }) => foreground === 'reading');
    expect(witness).toMatchObject({ foreground: 'reading' });
  });

  test('knows a sleeping program from one that reads', async () => {
    const witness = await witnessOf('sleep 60; true', ({ foreground }) => foreground === 'sleeping');
    expect(witness.foreground).toBe('sleeping');
  });

  test('knows a reader of something else than the terminal', async () => {
    const witness = await witnessOf('sleep 60 | cat', ({ foreground }) => foreground === 'sleeping');
    expect(witness.foreground).toBe('sleeping');
  });

  test('sees a program that works by its processor time', async () => {
    const witness = await witnessOf(
      'while :; do :; done',
      ({ foreground, cpuTicks }) => foreground === 'running' && (cpuTicks ?? 0) > 2,
    );
    expect(witness.foreground).toBe('running');
    expect(witness.cpuTicks).toBeGreaterThan(2);
  });

  test('sees that what is typed is hidden', async () => {
    const witness = await witnessOf(
      'stty -echo; read secret',
      ({ echo, foreground }) => echo === false && foreground === 'reading',
    );
    expect(witness).toMatchObject({ echo: false, canonical: true });
  });

  test('says unknown of a process that is not there, and never throws', async () => {
    expect(readKernelWitness(2 ** 30)).toMatchObject({ foreground: 'unknown', cpuTicks: null });
    expect(readKernelWitness(1, '/nowhere').foreground).toBe('unknown');
    expect(await readModes(2 ** 30)).toBeNull();
  });
});
