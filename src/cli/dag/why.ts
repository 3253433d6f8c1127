import type { Command } from 'commander';
import { journalPath } from '../../config/home.ts';
import { readJournal } from '../../host/journal.ts';
import type { Why } from '../../host/protocol.ts';
import { CommandError } from '../exit.ts';
import { renderQuestion } from './ask-person.ts';
import { askHost, describeEnd, findSession, openSessionRedactor, type OpenedSession } from './session.ts';

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, or the beginning of one')
    .option('--json', 'one JSON value: {id, verdict, block, judged, screen, kernel, hook, history}')
    .action(why);
}

/** Says what a session is taken for, and what was seen of it. */
async function why(text: string, flags: { readonly json?: boolean }): Promise<void> {
  using opened = await findSession(text, `why (pid ${process.pid})`);
  const { found } = opened;
  const redactor = await openSessionRedactor(opened);
  const mask = (said: string): string => redactor.mask(said);
  if (found.living === null && found.remote !== null) {
    throw new CommandError('refused', `${found.id} has ended; why it was taken for what it was is known where it ran`, [
      `see: cis dag logs ${found.id}`,
    ]);
  }
  if (found.living === null) return sayEnded(opened, flags, mask);
  const reply = await askHost(found.living.host, { kind: 'why', session: found.id });
  if (reply.kind !== 'why') throw new CommandError('unreachable', 'the host is of another version and cannot say why');
  if (flags.json === true) process.stdout.write(`${mask(JSON.stringify({ id: found.id, ...reply.why }))}\n`);
  else process.stdout.write(`${mask(renderWhy(found.id, reply.why, Date.now()).join('\n'))}\n`);
}

function renderWhy(id: string, seen: Why, now: number): string[] {
  const { verdict, block, judged, kernel, hook, screen, history, lastOutputAt } = seen;
  const ago = (at: number): string => `${Math.max(0, Math.round((now - at) / 1000))} s ago`;
  const quiet = lastOutputAt === null ? 'nothing was written yet' : `last output ${ago(lastOutputAt)}`;
  const evidence = judged.evidence === '' ? '' : `: ${judged.evidence}`;
  return [
    `${id} is ${verdict.kind}, by ${verdict.rule}, since ${ago(verdict.at)}`,
    ...(block === null ? [] : ['', block.id, ...renderQuestion(block)]),
    '',
    `screen   ${judged.state} by ${judged.rule}${evidence}; ${quiet}`,
    `kernel   ${kernel === null ? 'not asked' : `${kernel.program ?? 'the program'} is ${kernel.foreground}`}`,
    `hook     ${hook === null ? 'none has spoken' : `${hook.state} (${hook.rule}), ${ago(hook.at)}`}`,
    '',
    ...screen.map((line) => `  │ ${line}`),
    '',
    ...history.map((note) => `${new Date(note.at).toISOString().slice(11, 19)} ${note.kind} (${note.rule})`),
  ];
}

function sayEnded(
  { home, found }: OpenedSession,
  flags: { readonly json?: boolean },
  mask: (text: string) => string,
): void {
  const entries = readJournal(journalPath(home, found.run), 0).filter((entry) => entry.session === found.id);
  const blocks = entries.flatMap(({ event }) => (event.kind === 'blocked' ? [event.block] : []));
  const end = entries.flatMap(({ event }) => (event.kind === 'ended' ? [event.end] : [])).at(-1) ?? { kind: 'lost' };
  if (flags.json === true) return void process.stdout.write(`${mask(JSON.stringify({ id: found.id, end, blocks }))}\n`);
  const asked = blocks.map((block) => `${block.id} asked: ${block.question} (${block.rule})`);
  process.stdout.write(`${mask([`${found.id} has ended: ${describeEnd(end)}`, ...asked].join('\n'))}\n`);
}
