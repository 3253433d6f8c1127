import { existsSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { parseSessionId, sessionId } from '../../domain/ids.ts';
import type { Redactor } from '../../domain/redact.ts';
import type { RemoteHost } from '../../federation/remote/connect.ts';
import { followCast } from '../../host/follow-cast.ts';
import { lastBytes, lastLines } from '../../host/last-lines.ts';
import { decodeRecording, renderTranscript } from '../../host/transcript.ts';
import { CommandError } from '../exit.ts';
import type { FoundSession } from '../resolve.ts';
import {
  castPath,
  describeEnd,
  findSession,
  followRemoteLog,
  openSessionRedactor,
  readRemoteLog,
  type OpenedSession,
} from './session.ts';

interface LogsFlags {
  readonly lines?: number;
  readonly all?: boolean;
  readonly follow?: boolean;
  readonly raw?: boolean;
  readonly attempt?: number;
  readonly json?: boolean;
}

export function command(into: Command): Command {
  return into
    .argument('<session>', 'RUN:TASK, RUN:TASK#ATTEMPT, or the beginning of one')
    .option('-n, --lines <n>', 'only the last lines (default: 50; with --raw all)', parseCount)
    .option('-a, --all', 'from its beginning')
    .option('-f, --follow', 'go on with what is written until the session ends')
    .option('--raw', 'the exact bytes that the session wrote, secrets too')
    .option('--attempt <n>', 'an earlier attempt', parseCount)
    .option('--json', 'one JSON value: {id, text}')
    .action(logs);
}

const defaultLines = 50;

async function logs(text: string, given: LogsFlags): Promise<void> {
  const flags = withDefaultLines(given);
  using opened = await findSession(withAttempt(text, flags.attempt), 'logs');
  if (opened.found.remote !== null) return await remoteLogs(opened, opened.found.remote, flags);
  const path = castPath(opened.home, opened.found);
  if (!existsSync(path) && !hasStarted(opened.found)) {
    const end = opened.found.row?.end;
    if (end?.kind === 'not-started') throw new CommandError('not-found', `${opened.found.id} was ${describeEnd(end)}`);
    throw new CommandError('not-found', `${opened.found.id} has no recording at ${path}`, [
      'it never started, or its recording was removed',
    ]);
  }
  const redactor = await openSessionRedactor(opened);
  if (flags.follow === true) return await follow(opened, path, flags, redactor); // the connection is closed on return
  if (flags.raw === true && flags.lines === undefined) await writeRaw(path);
  else if (flags.raw === true) {
    process.stdout.write(lastBytes(Buffer.concat([...decodeRecording(path)]), flags.lines ?? 0));
  } else {
    const rendered = lastOf(redactor.mask(renderTranscript(path)), flags.lines);
    if (flags.json === true) process.stdout.write(`${JSON.stringify({ id: opened.found.id, text: rendered })}\n`);
    else if (rendered !== '') process.stdout.write(`${rendered}\n`);
  }
}

/** A session that has printed nothing has no recording. */
function hasStarted({ living, row }: FoundSession): boolean {
  return living !== null || (row !== null && row.pid !== null);
}

/** A recording may be larger than memory: it is handed on as fast as it is taken. */
async function writeRaw(path: string): Promise<void> {
  for (const bytes of decodeRecording(path)) {
    if (!process.stdout.write(bytes)) await new Promise((resolve) => void process.stdout.once('drain', resolve));
  }
}

async function follow({ found }: OpenedSession, path: string, flags: LogsFlags, redactor: Redactor): Promise<void> {
  const writer = openFollowWriter(flags, redactor);
  await followCast(path, found.living, (bytes) => writer.write(bytes));
  writer.end();
}

/** The recording of a session of another node, where its secrets are masked as well, unless the bytes are asked for. */
async function remoteLogs(opened: OpenedSession, host: RemoteHost, flags: LogsFlags): Promise<void> {
  const { id } = opened.found;
  const redactor = await openSessionRedactor(opened);
  const lines = flags.lines ?? null;
  if (flags.follow === true) {
    const writer = openFollowWriter(flags, redactor);
    await followRemoteLog(host, { session: id, as: 'bytes', lines, follow: true }, (bytes) =>
      writer.write(Buffer.from(bytes)),
    );
    return writer.end();
  }
  if (flags.raw === true) {
    const log = { session: id, as: 'bytes', lines, follow: false } as const;
    return await followRemoteLog(host, log, (bytes) => void process.stdout.write(bytes));
  }
  const text = redactor.mask((await readRemoteLog(host, { session: id, as: 'text', lines, follow: false })).toString());
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ id, text })}\n`);
  else if (text !== '') process.stdout.write(`${text}\n`);
}

/** Bytes as they come: on a terminal they look as they did there; on a pipe their control codes are taken out line by line. */
function openFollowWriter(flags: LogsFlags, redactor: Redactor): { write(bytes: Buffer): void; end(): void } {
  const asItCame = flags.raw === true || process.stdout.isTTY;
  const pieces = redactor.openChunks();
  let isFirst = true;
  let unfinished = '';
  return {
    write(bytes) {
      if (asItCame) {
        const cut = isFirst && flags.lines !== undefined ? lastBytes(bytes, flags.lines) : bytes;
        process.stdout.write(flags.raw === true ? cut : pieces.push(cut.toString('utf8')));
      } else {
        unfinished += bytes.toString('utf8');
        const end = unfinished.lastIndexOf('\n') + 1;
        const whole = redactor.mask(renderTranscript(Buffer.from(unfinished.slice(0, end))));
        const shown = isFirst ? lastOf(whole, flags.lines) : whole;
        if (end > 0) process.stdout.write(`${shown}\n`);
        unfinished = unfinished.slice(end);
      }
      isFirst = false;
    },
    end() {
      process.stdout.write(pieces.end());
      if (unfinished !== '') process.stdout.write(`${redactor.mask(renderTranscript(Buffer.from(unfinished)))}\n`);
    },
  };
}

/** Exact bytes are asked for as a whole; text to be read, for its end. */
function withDefaultLines(flags: LogsFlags): LogsFlags {
  const { lines, all, ...rest } = flags;
  if (all === true && lines !== undefined) throw new CommandError('usage', '--all and --lines exclude each other');
  if (lines !== undefined) return { ...rest, lines };
  return all === true || flags.raw === true ? rest : { ...rest, lines: defaultLines };
}

function withAttempt(text: string, attempt: number | undefined): string {
  if (attempt === undefined) return text;
  const parts = parseSessionId(text);
  return parts.ok && attempt > 1
    ? sessionId(parts.value.run, parts.value.task, attempt)
    : `${text.split('#')[0]}#${attempt}`;
}

function lastOf(text: string, count: number | undefined): string {
  return count === undefined ? text : lastLines(text, count);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new InvalidArgumentError('a whole number, 0 or more');
  return count;
}
