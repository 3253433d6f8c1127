import { text } from 'node:stream/consumers';
import { CommandError } from '../exit.ts';

/** Reads one line that a script pipes in. */
export async function readStdinLine(what: string): Promise<string> {
  const [line = ''] = (await text(process.stdin)).split(/\r?\n/);
  if (line === '') throw new CommandError('usage', `no ${what} came on stdin`);
  return line;
}

/** Asks on the terminal without showing what is typed. */
export async function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY)
    throw new CommandError('usage', 'stdin is not a terminal', ['give the password with --password-stdin']);
  // Before the question: who types fast must not see it either.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding('utf8');
  let typed = '';
  try {
    for await (const chunk of stdin as AsyncIterable<string>) {
      for (const key of chunk) {
        if (key === '\r' || key === '\n') return typed;
        if (key === '\u0003' || key === '\u0004') throw new CommandError('interrupted', 'interrupted');
        if (key === '\u007f' || key === '\b') typed = Array.from(typed).slice(0, -1).join('');
        else if (key === '\u0015') typed = '';
        else if (key >= ' ') typed += key;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}
