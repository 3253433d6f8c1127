import type { Block, BlockInput, BlockKind, Choice } from '../domain/block.ts';
import { sessionId, type RunId, type SessionId, type TaskId } from '../domain/ids.ts';
import type { RunPicture, TaskPicture } from '../domain/picture.ts';
import type { Gate } from '../domain/task.ts';
import { blockCommand, describeFailure, describeGate, gateCommand } from '../domain/words.ts';
import { firstFitting, type Message } from './message.ts';
import { escapeHtml, oneLine, plainText } from './text.ts';

/** Something a person in the room is asked. All that is needed to take an answer stands in it. */
export interface Question {
  /** Of the block; of a gate or a decision, made from task and attempt. */
  readonly id: string;
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly session: SessionId | null;
  readonly subject: Subject;
  readonly question: string;
  readonly choices: readonly Choice[];
  readonly selected: number | null;
  /** The command line that answers it in a terminal. */
  readonly command: string;
}

export type Subject =
  | {
      readonly kind: 'block';
      readonly blockKind: BlockKind;
      readonly fingerprint: string;
      readonly input: BlockInput | null;
      /** What the program asks to run. */
      readonly runs: string | null;
    }
  /** `stakeholders`: whose votes count; null: one word is enough. */
  | { readonly kind: 'gate'; readonly stakeholders: readonly string[] | null }
  | { readonly kind: 'undecided' };

const yesNo: readonly Choice[] = [{ label: 'Yes' }, { label: 'No' }];
export const decisions: readonly Choice[] = [
  { label: 'Run it again' },
  { label: 'Count it as failed' },
  { label: 'Skip it' },
];
const resolved: readonly Choice[] = [{ label: 'It is resolved: go on' }];

/** What the run waits for people to say, in the order of its file. */
export function questionsOf(picture: RunPicture, now: number): Question[] {
  const kinds = ['blocked', 'gated', 'undecided'] as const;
  const ids = kinds.flatMap((kind) => [...(picture.byKind.get(kind) ?? [])]);
  const tasks = ids.flatMap((id) => picture.tasks.get(id) ?? []).toSorted((a, b) => a.position - b.position);
  return tasks.flatMap((task) => questionOf(picture, task, now) ?? []);
}

function questionOf({ run }: RunPicture, picture: TaskPicture, now: number): Question | null {
  const { task, detail, kind } = picture;
  const attempt = Math.max(1, picture.attempt);
  const base = { run, task, attempt, session: picture.session };
  if (kind === 'blocked' && detail.kind === 'block' && detail.block.waits === true) return null; // cis waits by itself
  if (kind === 'blocked' && detail.kind === 'block') return { ...base, ...aboutBlock(detail.block, run, task) };
  if (kind === 'gated' && detail.kind === 'gate') return { ...base, ...aboutGate(detail.gate, picture, run, now) };
  if (kind !== 'undecided') return null;
  const why =
    detail.kind === 'failure' ? describeFailure(detail.failure) : 'its session was lost in the middle of the work';
  return {
    ...base,
    id: `${run}:${task}#${attempt}?undecided`,
    session: sessionId(run, task, attempt),
    subject: { kind: 'undecided' },
    question: `${why}: what now?`,
    choices: decisions,
    selected: null,
    command: `cis dag retry|fail|skip ${run}:${task}`,
  };
}

type About = Pick<Question, 'id' | 'subject' | 'question' | 'choices' | 'selected' | 'command'>;

function aboutBlock(block: Block, run: RunId, task: TaskId): About {
  const { kind, fingerprint, input = null, command: runs = null } = block;
  return {
    id: block.id,
    subject: { kind: 'block', blockKind: kind, fingerprint, input, runs },
    question: block.question,
    choices: kind === 'merge-conflict' ? resolved : isSecret(kind) ? [] : block.choices,
    selected: kind === 'merge-conflict' || isSecret(kind) ? null : block.selected,
    command: blockCommand(block, run, task),
  };
}

function aboutGate(gate: Gate, { task, attempt }: TaskPicture, run: RunId, now: number): About {
  return {
    id: `${run}:${task}#${attempt}?${gate.kind}`,
    subject: { kind: 'gate', stakeholders: gate.kind === 'arbitrated' ? gate.stakeholders : null },
    question:
      gate.kind === 'arbitrated' ? `may it start? (${gate.stakeholders.join(', ')} vote)` : describeGate(gate, now),
    choices: yesNo,
    selected: null,
    command: gateCommand(gate, run, task),
  };
}

/** Secrets are never asked for in a room, and never taken from one. */
export function isSecret(kind: BlockKind): boolean {
  return kind === 'password' || kind === 'login';
}

/** Whether a room can answer at all. */
export function isAnswerable({ subject }: Question): boolean {
  return subject.kind !== 'block' || !isSecret(subject.blockKind);
}

export interface QuestionView {
  /** The name of the DAG. */
  readonly dag: string;
  readonly mentions: readonly string[];
  readonly mask: (text: string) => string;
}

/** The message that asks: who waits, what the program shows, the choices, and how to answer. */
export function renderQuestion(question: Question, view: QuestionView): Message {
  return firstFitting(limits.map((limit) => () => renderWithin(question, view, limit)));
}

/** What a question and its parts may have, in characters: those of some scripts, and what HTML escapes, take several bytes. */
const limits = [
  { question: 1500, command: 1000, choice: 200 },
  { question: 500, command: 300, choice: 60 },
  { question: 200, command: 100, choice: 20 },
] as const;

function renderWithin(question: Question, view: QuestionView, limit: (typeof limits)[number]): Message {
  const head = `✋ ${oneLine(view.dag, 60)} · ${question.task} waits for you`;
  const asked = plainText(view.mask(question.question), { chars: limit.question, lines: 15 });
  const runs = commandOf(question, view.mask, limit.command);
  const choices = question.choices.slice(0, mostChoices).map(({ label }) => oneLine(view.mask(label), limit.choice));
  const how = howToAnswer(question);
  const pills = view.mentions.map(pill);
  const numbered = choices.map(
    (label, index) => `${index + 1}. ${label}${index === question.selected ? ' (preselected)' : ''}`,
  );
  return {
    body: [
      ...(view.mentions.length === 0 ? [] : [view.mentions.join(' ')]),
      head,
      ...asked.split('\n').map((line) => `> ${line}`),
      ...(runs === null ? [] : [runs]),
      ...numbered,
      how,
      `or: ${question.command}`,
    ].join('\n'),
    html: [
      `${pills.length === 0 ? '' : `${pills.join(' ')} `}<b>${escapeHtml(head)}</b>`,
      `<blockquote>${escapeHtml(asked).replaceAll('\n', '<br>')}</blockquote>`,
      ...(runs === null ? [] : [`<pre><code>${escapeHtml(runs)}</code></pre>`]),
      [...numbered.map(escapeHtml), escapeHtml(how), `or: <code>${escapeHtml(question.command)}</code>`].join('<br>'),
    ].join(''),
  };
}

/** As many as there are digits on reactions. */
const mostChoices = 9;

export function commandOf({ subject }: Question, mask: (text: string) => string, chars: number): string | null {
  if (subject.kind !== 'block' || subject.runs === null) return null;
  return plainText(mask(subject.runs), { chars, lines: 12 });
}

function howToAnswer(question: Question): string {
  if (!isAnswerable(question)) return 'Secrets are not taken from a room: answer in a terminal.';
  if (question.choices.length === 0) return 'Reply to this message with the answer.';
  const numbers = question.choices.length === 1 ? '1' : `1 to ${Math.min(question.choices.length, mostChoices)}`;
  const free = question.subject.kind === 'block' && question.subject.input === 'line' ? ' or other text' : '';
  return `React with a number, or reply with ${numbers} or the words of a choice${free}.`;
}

export function pill(user: string): string {
  return `<a href="https://matrix.to/#/${encodeURIComponent(user)}">${escapeHtml(user)}</a>`;
}

/** What became of a question. */
export interface Outcome {
  /** `Yes`, `text: …`; null when nobody answered: the question went away. */
  readonly answer: string | null;
  /** Who, for people: `@ada:example.org`, `ada (terminal)`, `the rule "x"`. */
  readonly by: string | null;
}

/** What the question's message is edited to once it is settled. */
export function renderOutcome(question: Question, outcome: Outcome, { dag, mask }: QuestionView): Message {
  const head = `${outcome.by === null ? '☑️' : '✅'} ${oneLine(dag, 60)} · ${question.task}`;
  const asked = oneLine(mask(question.question), 300);
  const said = oneLine(mask(sayOutcome(outcome)), 300);
  return {
    body: `${head}\n> ${asked}\n${said}`,
    html: `<b>${escapeHtml(head)}</b><blockquote>${escapeHtml(asked)}</blockquote>${escapeHtml(said)}`,
  };
}

export function sayOutcome({ answer, by }: Outcome): string {
  if (by === null) return 'No longer asked.';
  return answer === null ? `Answered by ${by}.` : `${by}: ${answer}`;
}

/** The reactions with which a question is answered, as Element's picker sends them. */
export function seedsFor(question: Question): string[] {
  const { choices } = question;
  if (choices.length < 2 || !isAnswerable(question)) return [];
  if (choices.length === 2 && /^yes\b/i.test(choices[0]?.label ?? '') && /^no\b/i.test(choices[1]?.label ?? '')) {
    return ['✅', '❌'];
  }
  return choices.slice(0, mostChoices).map((_, index) => `${index + 1}\uFE0F\u20E3`);
}
