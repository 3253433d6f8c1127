import { existsSync } from 'node:fs';
import { recordingPath, type Home } from '../config/home.ts';
import type { AnswerSource } from '../domain/block.ts';
import { parseSessionId, type RunId, type SessionId } from '../domain/ids.ts';
import type { RunRequest } from '../domain/request.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { unreachable } from '../domain/unreachable.ts';
import { describeHostError } from '../host/client.ts';
import type { HostConnection } from '../host/port.ts';
import { renderTranscript } from '../host/transcript.ts';
import { addListener, listRunsOfRoom, readBridgeRun, type InboxRow } from '../storage/bridge.ts';
import type { Db } from '../storage/open.ts';
import { readPicture } from '../storage/read-picture.ts';
import { readAttempts, readRunSettings } from '../storage/read.ts';
import { withHosts, type ActOptions } from './act.ts';
import { renderCard, titleOf } from './card.ts';
import { withNodeOf } from './elsewhere.ts';
import { plainMessage, type Message } from './message.ts';
import type { RoomCommand } from './parse-command.ts';
import { isRunOver } from './over.ts';
import { maySendOutput } from './output-policy.ts';
import { startDag, type ListedDags } from './start-dag.ts';
import { escapeHtml, oneLine, plainText } from './text.ts';

export interface CommandOptions extends ActOptions {
  readonly broadcastOutput: boolean;
  readonly mask: (text: string) => string;
  readonly now: () => number;
  /** What a room may start. */
  readonly dags: ListedDags;
}

/** A command that lay in the room while nobody listened is not carried out much later. */
const staleMs = 15 * 60_000;

const help: readonly (readonly [string, string])[] = [
  ['!cis runs', 'the runs that this room follows'],
  ['!cis status [RUN]', 'how a run stands'],
  ['!cis logs RUN:TASK', 'the last lines of a session'],
  ['!cis pause RUN', 'start nothing new'],
  ['!cis resume RUN', 'go on'],
  ['!cis kill RUN:TASK', 'end a session'],
  ['!cis tell [RUN]', 'mention me when a run ends'],
];

/** Does what a person of the room asks, to runs of this room only, and returns what to say. */
export async function carryOut(
  options: CommandOptions,
  row: InboxRow,
  command: RoomCommand,
  source: AnswerSource,
): Promise<Message> {
  const { room } = row;
  switch (command.kind) {
    case 'help':
      return describeCommands(options);
    case 'runs':
      return describeRuns(options, room);
    case 'status':
      return withRun(options, room, command.run, (run) => describeRun(options, run));
    case 'pause':
    case 'resume':
      return withRun(options, room, command.run, (run) => tell(options, run, { kind: command.kind }, source));
    case 'tell':
      return withRun(options, room, command.run, async (run) => listen(options, run, source.by));
    case 'run':
      return runListed(options, row, command.name);
    case 'logs':
      return withSession(options, room, command.session, async (session) => showLogs(options, session));
    case 'kill':
      return withSession(options, room, command.session, (session) => kill(options, session));
    default:
      return unreachable(command);
  }
}

function describeCommands({ dags }: CommandOptions): Message {
  const startable = Object.entries(dags).map(([name, { description }]): readonly [string, string] => {
    return [`!cis run ${name}`, description === null ? 'start this DAG' : oneLine(description)];
  });
  const lines = [...help, ...startable];
  return {
    body: lines.map(([words, what]) => `${words}: ${what}`).join('\n'),
    html: lines.map(([words, what]) => `<code>${escapeHtml(words)}</code>: ${escapeHtml(what)}`).join('<br>'),
  };
}

/** Only what the config of this machine lists by that name: nothing that a message says becomes a path or an argument but the name. */
async function runListed(options: CommandOptions, row: InboxRow, name: string): Promise<Message> {
  const { dags, now, mask } = options;
  const dag = Object.hasOwn(dags, name) ? dags[name] : undefined;
  if (dag === undefined) {
    const names = Object.keys(dags);
    const there =
      names.length === 0 ? 'This machine lists none: `[dags.NAME]` in its config.' : `There is ${names.join(', ')}.`;
    return plainMessage(`No DAG of that name may be started from here. ${there}`);
  }
  const age = now() - sentAtOf(row);
  if (age > staleMs)
    return plainMessage(`That was said ${Math.round(age / 60_000)} minutes ago, and nobody listened: say it again.`);
  const started = await startDag({ name, dag, room: row.room, eventId: row.eventId });
  if (started.ok) return plainMessage(`started run ${started.value}`);
  return plainMessage(`${name} was not started: ${oneLine(mask(started.error), 500)}`);
}

function sentAtOf({ at, body }: InboxRow): number {
  const { sentAt } = body as { readonly sentAt?: unknown };
  return typeof sentAt === 'number' ? Math.min(sentAt, at) : at;
}

function listen({ db }: CommandOptions, run: RunId, user: string): Message {
  const picture = readPicture(db, run);
  if (picture === null) return plainMessage('The run was removed.');
  if (isRunOver(picture) && readBridgeRun(db, run)?.closed === true) return plainMessage(titleOf(picture));
  const isNew = addListener(db, run, user);
  return plainMessage(isNew ? `You will be mentioned when ${run} ends.` : `That is noted already: when ${run} ends.`);
}

function describeRuns({ db }: CommandOptions, room: string): Message {
  const pictures = listRunsOfRoom(db, room, 10).flatMap((run) => readPicture(db, run) ?? []);
  if (pictures.length === 0) return plainMessage('This room follows no run yet.');
  return {
    body: pictures.map((picture) => `${picture.run}  ${titleOf(picture)}`).join('\n'),
    html: pictures.map((one) => `<code>${escapeHtml(one.run)}</code> ${escapeHtml(titleOf(one))}`).join('<br>'),
  };
}

async function withRun(
  { db }: CommandOptions,
  room: string,
  text: string | null,
  use: (run: RunId) => Promise<Message>,
): Promise<Message> {
  const runs = listRunsOfRoom(db, room, 1000);
  if (text === null) {
    const newest = runs[0];
    return newest === undefined ? plainMessage('This room follows no run yet.') : use(newest);
  }
  const fitting = runs.includes(text as RunId) ? [text as RunId] : runs.filter((run) => run.startsWith(text));
  const [run] = fitting;
  if (run === undefined) return plainMessage(`This room has no such run. See: !cis runs`);
  return fitting.length > 1 ? plainMessage(`That may be any of ${fitting.slice(0, 5).join(', ')}.`) : use(run);
}

async function describeRun({ db, mask }: CommandOptions, run: RunId): Promise<Message> {
  const picture = readPicture(db, run);
  return picture === null ? plainMessage('The run was removed.') : renderCard(picture, mask);
}

async function tell({ ask }: CommandOptions, run: RunId, request: RunRequest, source: AnswerSource): Promise<Message> {
  const outcome = await ask(run, request, source);
  switch (outcome.kind) {
    case 'done':
      return plainMessage(outcome.said);
    case 'refused':
      return plainMessage(outcome.reason);
    case 'failed':
      return plainMessage(`run ${run} could not be told (${outcome.end.kind})`);
    default:
      return unreachable(outcome);
  }
}

/** Finds the session that `RUN:TASK` or `RUN:TASK#N` means; without a number its latest attempt. */
async function withSession(
  options: CommandOptions,
  room: string,
  text: string,
  use: (session: SessionId) => Promise<Message>,
): Promise<Message> {
  const parts = parseSessionId(text);
  if (!parts.ok) return plainMessage('Name a session as RUN:TASK. See: !cis status');
  return withRun(options, room, parts.value.run, async (run) => {
    const { task, attempt } = parts.value;
    const attempts = readAttempts(options.db, run).filter((one) => one.task === task);
    const found = text.includes('#') ? attempts.find((one) => one.attempt === attempt) : attempts.at(-1);
    return found === undefined ? plainMessage('There is no such session. See: !cis status') : use(found.session);
  });
}

async function showLogs({ db, home, broadcastOutput, mask }: CommandOptions, session: SessionId): Promise<Message> {
  const parts = parseSessionId(session);
  const settings = parts.ok ? readRunSettings(db, parts.value.run) : null;
  if (!parts.ok || settings === null) return plainMessage('The run was removed.');
  if (!maySendOutput(settings, broadcastOutput)) {
    return plainMessage(`Outputs of this run stay where it runs (broadcast_output is off): cis dag logs ${session}`);
  }
  const path = recordingPath(home, parts.value.run, parts.value.task, parts.value.attempt);
  const text = existsSync(path) ? ok(renderTranscript(path)) : await readElsewhere(home, db, session);
  if (!text.ok) return plainMessage(text.error);
  const lines = mask(text.value).trimEnd().split('\n').slice(-30);
  const shown = plainText(lines.join('\n'), { chars: 4000, lines: 30 });
  if (shown === '') return plainMessage(`${session} has written nothing.`);
  return { body: shown, html: `<pre><code>${escapeHtml(shown)}</code></pre>` };
}

/** What a session of another node wrote last. */
async function readElsewhere(home: Home, db: Db, session: SessionId): Promise<Result<string, string>> {
  const pieces: Buffer[] = [];
  const read = await withNodeOf(home, db, session, (host) =>
    host.readLog({ session, as: 'text', lines: 30, follow: false }, (bytes) => pieces.push(Buffer.from(bytes))),
  );
  if (!read.ok) return read;
  if (read.value !== null && !read.value.ok) return err(describeHostError(read.value.error));
  return ok(Buffer.concat(pieces).toString('utf8'));
}

async function kill({ home, db }: CommandOptions, session: SessionId): Promise<Message> {
  const end = async (host: HostConnection): Promise<string> => {
    const reply = await host.request({ kind: 'kill', session, signal: 'SIGTERM', graceMs: 5000, cause: 'user' });
    return reply.ok ? `killed ${session}` : describeHostError(reply.error);
  };
  const said = await withHosts(home, async (host, sessions) =>
    sessions.some((one) => one.session === session && one.state.kind !== 'ended') ? end(host) : null,
  );
  if (said !== null) return plainMessage(said);
  const there = await withNodeOf(home, db, session, end);
  return plainMessage(there.ok ? (there.value ?? `${session} is not alive.`) : there.error);
}
