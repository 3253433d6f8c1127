import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { encodeBytes, splitUtf8 } from '../../host/cast.ts';
import { openPty } from '../../host/pty.ts';
import { openSpawner } from '../../host/spawner.ts';
import { CommandError } from '../exit.ts';
import { findAgent } from './found.ts';

export function command(into: Command): Command {
  return into
    .argument('<name>', 'the agent to start in this terminal')
    .argument('[args...]', 'passed on to the program, after --')
    .option('-o, --output <file>', 'the recording, an asciicast', 'agent.cast')
    .addHelpText(
      'after',
      '\nThe recording holds all that the screen shows: read it before you give it away. No keys are recorded.',
    )
    .action(async (name: string, args: string[], options: { output: string }) => {
      if (!process.stdin.isTTY || !process.stdout.isTTY) throw new CommandError('usage', 'recording needs a terminal');
      const { profile, probe } = await findAgent(name);
      if (probe.path === null)
        throw new CommandError(
          'not-found',
          `${profile.title} is not installed: there is no ${profile.program} in PATH`,
        );
      process.exitCode = await record(
        probe.path,
        args,
        options.output,
        `${profile.name} ${probe.version ?? ''}`.trim(),
      );
      process.stdout.write(`recorded in ${options.output}\n`);
    });
}

/** Runs a program in a terminal of its own, shown in this one, and writes what it wrote when it has ended. */
async function record(file: string, args: readonly string[], output: string, title: string): Promise<number> {
  const { stdin, stdout } = process;
  const size = { cols: stdout.columns, rows: stdout.rows };
  const startedAt = Date.now();
  const header = { version: 2, width: size.cols, height: size.rows, timestamp: Math.floor(startedAt / 1_000), title };
  const lines = [JSON.stringify(header)];
  const add = (kind: string, data: string): void => {
    lines.push(JSON.stringify([(Date.now() - startedAt) / 1_000, kind, data]));
  };
  let rest: Buffer = Buffer.alloc(0);
  using spawner = openSpawner();
  return await new Promise((resolve) => {
    const env = process.env as Record<string, string>;
    const pty = openPty({
      spawner,
      file,
      args,
      env,
      cwd: process.cwd(),
      umask: process.umask(),
      ...size,
      onData(bytes) {
        stdout.write(bytes);
        const all = Buffer.concat([rest, bytes]);
        const whole = splitUtf8(all);
        rest = all.subarray(whole);
        if (whole > 0) add('o', encodeBytes(all.subarray(0, whole)));
      },
      onEnd(end) {
        stdin.setRawMode(false);
        stdin.pause();
        writeFileSync(output, `${lines.join('\n')}\n`, { mode: 0o600 });
        resolve(end.kind === 'exited' ? end.code : 1);
      },
    });
    stdin.setRawMode(true);
    stdin.on('data', (bytes: Buffer) => pty.write(bytes));
    stdout.on('resize', () => {
      pty.resize(stdout.columns, stdout.rows);
      add('r', `${stdout.columns}x${stdout.rows}`);
    });
  });
}
