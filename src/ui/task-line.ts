import { formatDuration, formatElapsed } from '../domain/duration.ts';
import type { SessionId } from '../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import { settled } from '../domain/task.ts';
import {
  blockCommand,
  describeChoices,
  describeFailure,
  describeGate,
  describeSkip,
  gateCommand,
  describeWait,
} from '../domain/words.ts';
import { toneOf, type Look, type Tone } from './style.ts';
import { cut, fit, oneLine, widthOf } from './width.ts';

/** What a view needs beyond the run itself. */
export interface Sight {
  readonly now: number;
  readonly columns: number;
  readonly look: Look;
  /** The last line on the screen of a session, when it is known. */
  readonly lastLine: (session: SessionId) => string | null;
  /** Masks secrets. */
  readonly mask: (text: string) => string;
}

/** The widths of the columns, the same for all lines of a table. */
export interface Columns {
  readonly name: number;
  readonly agent: number;
}

/** Below so many columns there is room for names only. */
const tiny = 30;

export function measureColumns(picture: RunPicture, columns: number): Columns {
  let name = 4;
  let agent = 0;
  for (const task of picture.tasks.values()) {
    name = Math.max(name, task.task.length);
    agent = Math.max(agent, task.agent?.length ?? 0);
  }
  if (columns < tiny) return { name: Math.max(1, columns - 5), agent: 0 };
  return {
    name: Math.min(name, Math.max(8, Math.floor(columns * 0.35))),
    agent: columns < 60 ? 0 : Math.min(agent, 12),
  };
}

/** One task: sign, name, agent, time, and what there is to say; below it the command for what needs a person. */
export function renderTask(task: TaskPicture, picture: RunPicture, widths: Columns, sight: Sight): string[] {
  const { look } = sight;
  const tone = toneOf[task.kind];
  const agent = widths.agent === 0 ? '' : ` ${look.paint(fit(task.agent ?? '', widths.agent, look.ellipsis), 'dim')}`;
  const name = ` ${look.paint(fit(look.signs[task.kind], 2), tone)} ${nameOf(task, widths, look)}`;
  const left = sight.columns < tiny ? name : `${name}${agent} ${time(task, sight)}`;
  const used = 4 + widths.name + (widths.agent === 0 ? 0 : widths.agent + 1) + 8;
  const said = says(task, picture, sight);
  const room = sight.columns - used - 2;
  const detail = room < 8 || said.text === '' ? '' : `  ${look.paint(cut(said.text, room, look.ellipsis), said.tone)}`;
  const below = said.todo === null ? [] : [renderTodo(said.todo, sight)];
  return [left + detail, ...below];
}

function nameOf(task: TaskPicture, widths: Columns, look: Look): string {
  const quiet = task.kind === 'pending' || task.kind === 'skipped' || task.kind === 'cancelled';
  return look.paint(fit(task.task, widths.name, look.ellipsis), quiet ? 'dim' : 'plain');
}

function time(task: TaskPicture, { now, look }: Sight): string {
  const text =
    task.startedAt === null
      ? ''
      : task.endedAt === null
        ? formatElapsed(now - task.startedAt)
        : formatDuration(task.endedAt - task.startedAt);
  return look.paint(text.padStart(7), task.endedAt === null ? 'plain' : 'dim');
}

function renderTodo(todo: string, { columns, look }: Sight): string {
  const indent = '    ';
  return indent + look.paint(cut(todo, columns - widthOf(indent), look.ellipsis), 'bold');
}

interface Said {
  readonly text: string;
  readonly tone: Tone;
  readonly todo: string | null;
}

function says(task: TaskPicture, picture: RunPicture, sight: Sight): Said {
  const quiet = (text: string): Said => ({ text, tone: 'dim', todo: null });
  const { detail } = task;
  if (detail.kind === 'block') return sayBlock(task, picture, sight);
  if (detail.kind === 'gate') {
    return {
      text: describeGate(detail.gate, sight.now),
      tone: 'ask',
      todo: gateCommand(detail.gate, picture.run, task.task),
    };
  }
  if (task.kind === 'undecided') return sayUndecided(task, picture, sight);
  if (detail.kind === 'failure') return sayFailure(task, sight);
  if (detail.kind === 'skip') return quiet(oneLine(describeSkip(detail.reason)));
  if (detail.kind === 'reason') return quiet(oneLine(detail.text));
  if (task.kind === 'lost') return { text: 'its session was lost', tone: 'bad', todo: null };
  if (task.kind === 'running')
    return quiet(task.session === null ? '' : oneLine(sight.mask(sight.lastLine(task.session) ?? '')).trim());
  if (task.kind === 'pending') return quiet(waitsFor(task, picture));
  return quiet(task.kind === 'completed' && task.attempt > 1 ? `attempt ${task.attempt}` : '');
}

function sayBlock(task: TaskPicture, picture: RunPicture, sight: Sight): Said {
  if (task.detail.kind !== 'block') return { text: '', tone: 'plain', todo: null };
  const { block } = task.detail;
  const question = oneLine(
    sight.mask(block.command === undefined ? block.question : `${block.question}  ${block.command}`),
  ).trim();
  const waits = describeWait(block);
  if (waits !== null) return { text: `${waits}: ${question}`, tone: 'dim', todo: null };
  const choices = block.choices.length === 0 ? '' : `   ${oneLine(sight.mask(describeChoices(block)))}`;
  return { text: question || block.kind, tone: 'ask', todo: blockCommand(block, picture.run, task.task) + choices };
}

function sayUndecided({ task, detail }: TaskPicture, { run }: RunPicture, { mask }: Sight): Said {
  const why = detail.kind === 'failure' ? oneLine(mask(describeFailure(detail.failure))) : 'its session was lost';
  return { text: `${why}: run it again?`, tone: 'ask', todo: `cis dag retry|skip ${run}:${task}` };
}

function sayFailure(task: TaskPicture, { now, mask }: Sight): Said {
  if (task.detail.kind !== 'failure') return { text: '', tone: 'plain', todo: null };
  const { failure, debt, retryAt } = task.detail;
  const why = oneLine(mask(describeFailure(failure)));
  if (retryAt === null) return { text: debt ? `${why}, accepted` : why, tone: debt ? 'dim' : 'bad', todo: null };
  return { text: `${why}; again in ${formatElapsed(Math.max(0, retryAt - now) + 999)}`, tone: 'ask', todo: null };
}

function waitsFor(task: TaskPicture, picture: RunPicture): string {
  const open = task.deps.filter((dep) => !settled[picture.tasks.get(dep)?.kind ?? 'pending']);
  if (open.length === 0) return '';
  return `after ${open.slice(0, 4).join(', ')}${open.length > 4 ? `, ${open.length - 4} more` : ''}`;
}
