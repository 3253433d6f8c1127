import type { Command } from 'commander';
import { askHost, findSession, livingOf } from './session.ts';

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, or the beginning of one')
    .argument('[answer]', 'typed before Enter')
    .option('--json', 'one JSON value: {id, answer}')
    .action(unblock);
}

/** Types the answer and Enter. */
async function unblock(session: string, answer: string | undefined, flags: { readonly json?: boolean }): Promise<void> {
  const { unblockMerge } = await import('./unblock-merge.ts');
  if (await unblockMerge(session, flags.json === true)) return;
  using opened = await findSession(session, `unblock (pid ${process.pid})`);
  const { host } = livingOf(opened.found);
  const { id } = opened.found;
  await askHost(host, { kind: 'write', session: id, base64: Buffer.from(`${answer ?? ''}\r`).toString('base64') });
  const said = answer === undefined ? `pressed Enter in ${id}` : `answered ${id}`;
  process.stdout.write(flags.json === true ? `${JSON.stringify({ id, answer: answer ?? null })}\n` : `${said}\n`);
}
