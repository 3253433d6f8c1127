import type { Command } from 'commander';
import { parseKeys } from '../../host/keys.ts';
import { CommandError } from '../exit.ts';
import { askHost, findSession, livingOf } from './session.ts';

interface SendFlags {
  readonly enter?: boolean;
  readonly keys?: string;
  readonly json?: boolean;
}

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, or the beginning of one')
    .argument('[text]', 'what to type; - reads it from stdin')
    .option('-e, --enter', 'press Enter after it')
    .option('-k, --keys <keys>', 'keys to press after it, such as "C-c Down Enter"')
    .option('--json', 'one JSON value: {id, bytes}')
    .action(send);
}

async function send(session: string, text: string | undefined, flags: SendFlags): Promise<void> {
  const bytes = Buffer.from((await readText(text)) + (flags.enter === true ? '\r' : '') + readKeys(flags.keys));
  if (bytes.length === 0) throw new CommandError('usage', 'nothing to send', ['give TEXT, --enter or --keys']);
  using opened = await findSession(session, `send (pid ${process.pid})`);
  const { host } = livingOf(opened.found);
  await askHost(host, { kind: 'write', session: opened.found.id, base64: bytes.toString('base64') });
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ id: opened.found.id, bytes: bytes.length })}\n`);
}

async function readText(text: string | undefined): Promise<string> {
  if (text !== '-') return text ?? '';
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function readKeys(keys: string | undefined): string {
  if (keys === undefined) return '';
  const parsed = parseKeys(keys);
  if (!parsed.ok) throw new CommandError('usage', `--keys: ${parsed.error}`);
  return parsed.value.join('');
}
