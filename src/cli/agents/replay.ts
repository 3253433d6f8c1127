import { statSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { findProfile, type AgentTables } from '../../agents/profiles.ts';
import type { Config } from '../../config/config.ts';
import { agentOf } from '../../domain/run.ts';
import type { CastHeader } from '../../host/cast.ts';
import { readCastEvents, readCastHeader } from '../../host/transcript.ts';
import { compareWithIndex, type ComparedChange } from '../../monitor/compare-index.ts';
import { renderJudgement } from '../../monitor/judge-line.ts';
import { replayRecording, type Change, type Decision, type Replayed } from '../../monitor/replay.ts';
import { openProcessRedactor, print, readConfig } from '../context.ts';
import { castPath, findSession, openSessionRedactor, type OpenedSession } from '../dag/session.ts';
import { oneLine, widthOf } from '../../ui/width.ts';
import { CommandError } from '../exit.ts';
import { describeJudgement, openRules } from './judged.ts';

interface Options {
  readonly agent?: string;
  readonly at?: number;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('<session|file.cast>', 'RUN:TASK, RUN:TASK#ATTEMPT, the beginning of one, or a recording (.cast)')
    .option('--agent <name>', "the program that drew it; without it, the agent of the session's task")
    .option('--at <seconds>', 'the screen at this time with its verdict, as a report', parseSeconds)
    .option(
      '--json',
      'one JSON value: {recording, agent, changes}, or with --at {recording, agent, at, cols, rows, title, screen, judged, verdict, index}',
    )
    .addHelpText(
      'after',
      '\nBeside each change of verdict stands what the index of the recording says was decided then; ≠ where they differ. Only the\nscreen is a witness here: what a hook or the kernel told then (hook-…, kernel-…) is not in a recording.',
    )
    .action(replay);
}

/** Judges a past recording by the rules of now, and says where they decide otherwise than the monitor did. */
async function replay(text: string, options: Options): Promise<void> {
  const { config } = await readConfig();
  const rules = openRules(config.agents);
  const source = text.endsWith('.cast') ? await openFile(text, config) : await openSession(text, config.agents);
  const { header, path, name, mask } = source;
  const agent = options.agent ?? source.agent;
  const events = readCastEvents(path);
  const recorded = { header, events, ...(agent === null ? {} : { agent }) };
  const replayed = replayRecording(recorded, rules, options.at);
  const hasIndex = source.isSession || replayed.marks.length > 0;
  const compared = compareWithIndex(replayed.changes, replayed.marks);
  const judged = { name, agent, replayed, compared, hasIndex };
  if (options.json) print([mask(JSON.stringify(asJson(judged, options.at)))]);
  else print((options.at === undefined ? listChanges(judged) : report(judged, options.at)).map(mask));
}

/** Less is the time between two looks. */
const lateSeconds = 1;

interface Source {
  readonly path: string;
  readonly name: string;
  readonly header: CastHeader;
  /** Null: not known, or none. */
  readonly agent: string | null;
  readonly isSession: boolean;
  readonly mask: (text: string) => string;
}

async function openFile(path: string, config: Config): Promise<Source> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new CommandError('not-found', `there is no file ${path}`);
  const redactor = await openProcessRedactor(config);
  const header = stat.isFile() ? needHeader(path) : notARecording(path);
  return { path, name: path, header, agent: null, isSession: false, mask: (text) => redactor.mask(text) };
}

async function openSession(text: string, agents: AgentTables): Promise<Source> {
  using opened = await findSession(text, 'agents replay');
  const { id, node } = opened.found;
  if (node !== null)
    throw new CommandError('refused', `the recording of ${id} lies on ${node.name}, where it can be replayed`);
  const path = castPath(opened.home, opened.found);
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new CommandError('not-found', `${id} has no recording at ${path}`);
  const redactor = await openSessionRedactor(opened);
  const agent = await screenOf(opened, agents);
  return { path, name: id, header: needHeader(path), agent, isSession: true, mask: (shown) => redactor.mask(shown) };
}

/** The name of the screen rules of the session's task; null when it is a plain command. */
async function screenOf({ home, found }: OpenedSession, agents: AgentTables): Promise<string | null> {
  const { openStorageToRead } = await import('../../storage/open.ts');
  const { readRunSettings } = await import('../../storage/read.ts');
  const db = openStorageToRead(home.database);
  if (!db.ok) return null;
  const settings = readRunSettings(db.value, found.run);
  db.value.close();
  const task = settings?.dag.tasks.find(({ id }) => id === found.task);
  if (settings === null || task === undefined) return null;
  const name = agentOf(settings, task);
  const profile = name === null ? null : findProfile(name, agents);
  return profile?.ok === true ? profile.value.screen : name;
}

function needHeader(path: string): CastHeader {
  const header = readCastHeader(path);
  const isSize = (size: unknown): boolean => Number.isInteger(size) && Number(size) > 0 && Number(size) < 10_000;
  if (header?.version !== 2 || !isSize(header.width) || !isSize(header.height)) return notARecording(path);
  return { ...header, timestamp: Number.isFinite(header.timestamp) ? header.timestamp : 0 };
}

function notARecording(path: string): never {
  throw new CommandError('usage', `${path} is not an asciicast recording (version 2)`);
}

interface Judged {
  readonly name: string;
  readonly agent: string | null;
  readonly replayed: Replayed;
  readonly compared: readonly ComparedChange[];
  /** Somebody watched when it was recorded. */
  readonly hasIndex: boolean;
}

function listChanges({ name, agent, replayed, compared, hasIndex }: Judged): string[] {
  const rows = compared.map(({ change, index, differs }) => [
    `${hasIndex && differs ? '≠' : ' '} ${change.at.toFixed(2).padStart(8)} s`,
    stateOf(change),
    change.rule,
    ...(hasIndex ? [recordedAs(change, index)] : []),
    oneLine(change.question ?? ''),
  ]);
  const wrong = compared.filter(({ differs }) => differs).length;
  const count = `${wrong} of ${compared.length} differ from the index`;
  return [
    `${name}, by the rules for ${agent ?? 'any program'}`,
    ...inColumns(rows),
    ...(rows.length === 0 ? ['the verdict never changed: unknown'] : []),
    ...(hasIndex ? (rows.length === 0 ? [] : [count]) : ['it has no index: nobody watched when it was recorded']),
    ...gap(replayed),
  ];
}

function report({ name, agent, replayed, hasIndex }: Judged, at: number): string[] {
  const { screen, judgement, changes, marks } = replayed;
  const last = (all: readonly (Change | Decision)[]): string => {
    const one = all.at(-1);
    return one === undefined ? 'unknown' : `${stateOf(one)} by ${one.rule}, since ${one.at.toFixed(2)} s`;
  };
  const [state = '', ...evidence] = describeJudgement(judgement);
  return [
    `${name} at ${at} s, ${screen.cols}x${screen.rows}, by the rules for ${agent ?? 'any program'}`,
    `screen    ${state}`,
    ...evidence,
    `verdict   ${last(changes)}`,
    `recorded  ${hasIndex ? last(marks) : 'nothing: it has no index'}`,
    ...(screen.title === undefined || screen.title === '' ? [] : [`title     ${oneLine(screen.title)}`]),
    ...gap(replayed),
    '',
    ...shownLines(screen.lines).map((line) => `  │ ${line}`.trimEnd()),
  ];
}

function asJson({ name, agent, replayed, compared, hasIndex }: Judged, at: number | undefined): object {
  const { screen, judgement, changes, marks, hasGap } = replayed;
  const head = { recording: name, agent, ...(hasGap ? { gap: true } : {}) };
  if (at === undefined)
    return {
      ...head,
      changes: compared.map(({ change, index, differs }) => ({ ...change, ...(hasIndex ? { index, differs } : {}) })),
    };
  return {
    ...head,
    at,
    cols: screen.cols,
    rows: screen.rows,
    title: screen.title,
    screen: shownLines(screen.lines),
    judged: renderJudgement(judgement),
    verdict: changes.at(-1) ?? null,
    index: marks.at(-1) ?? null,
  };
}

function stateOf({ state, kind }: Change): string {
  return kind === undefined ? state : `${state} (${kind})`;
}

function recordedAs(change: Change, index: Decision): string {
  if (change.state !== index.state || change.rule !== index.rule) return `recorded ${index.state} (${index.rule})`;
  const late = index.at - change.at;
  return late > lateSeconds ? `as recorded, ${late.toFixed(1)} s later` : 'as recorded';
}

function gap({ hasGap }: Replayed): string[] {
  return hasGap ? ['output is missing from the recording (recording_max_mb): verdicts after that are in doubt'] : [];
}

function shownLines(lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== '') + 1);
}

function inColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ''))));
  const pad = (cell: string, column: number): string => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell));
  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('a number of seconds');
  return value;
}
