import {
  renderQuestion,
  seedsFor,
  isAnswerable,
  commandOf,
  pill,
  type Question,
  type QuestionView,
} from './question.ts';
import type { Message } from './message.ts';
import { escapeHtml, oneLine, plainText } from './text.ts';

/** A question in a message that asks several. */
export interface Asked {
  readonly question: Question;
  /** What came of it, in words; null while it is open. */
  readonly outcome: string | null;
}

/** Questions and choices are named by one sign each: `2b`. */
const mostQuestions = 9;
const mostChoices = 9;
/** Of the 40 KiB that an event may have: an edit holds the text twice, once for clients that know no edits. */
const mostBytes = 36_000;

/** Which questions share a message, in their order: as many as can be named and fit. */
export function groupQuestions(questions: readonly Question[], view: QuestionView): Question[][] {
  const groups: Question[][] = [];
  let bytes = Infinity;
  for (const question of questions) {
    const size = sizeOf(question, view);
    const last = groups.at(-1);
    if (last === undefined || last.length === mostQuestions || bytes + size > mostBytes) {
      groups.push([question]);
      bytes = size;
    } else {
      last.push(question);
      bytes += size;
    }
  }
  return groups;
}

function sizeOf(question: Question, view: QuestionView): number {
  const { body, html } = renderQuestion(question, view);
  const meaning = JSON.stringify(meaningOf([{ question, outcome: null }], view.mask));
  return 2 * Buffer.byteLength(body) + Buffer.byteLength(html) + Buffer.byteLength(meaning);
}

/** `2b`: the choice of a question of a shared message, both counted from 0. */
export function labelOf(position: number, choice: number): string {
  return `${position + 1}${String.fromCharCode(97 + choice)}`;
}

/** The message that asks several questions, and says of each that was settled what came of it. */
export function renderGroup(asked: readonly Asked[], view: QuestionView): Message {
  const open = asked.filter(({ outcome }) => outcome === null).length;
  const title = `${open === 0 ? '✅' : '✋'} ${oneLine(view.dag, 60)} · ${headOf(asked, open)}`;
  const parts = asked.map((one, position) => renderPart(one, position, view));
  const how = howToAnswer(asked);
  const mentions = open === 0 ? [] : view.mentions;
  return {
    body: [
      ...(mentions.length === 0 ? [] : [mentions.join(' ')]),
      title,
      ...parts.map(({ body }) => body),
      ...(how === null ? [] : [how]),
    ].join('\n'),
    html: [
      `${mentions.length === 0 ? '' : `${mentions.map(pill).join(' ')} `}<b>${escapeHtml(title)}</b><br>`,
      ...parts.map(({ html }) => html),
      ...(how === null ? [] : [escapeHtml(how)]),
    ].join(''),
  };
}

function headOf(asked: readonly Asked[], open: number): string {
  if (open === 0) return `${asked.length} questions settled`;
  return open === 1 ? '1 question waits for you' : `${open} questions wait for you`;
}

function renderPart({ question, outcome }: Asked, position: number, view: QuestionView): Message {
  const name = `${position + 1}. `;
  const asked = plainText(view.mask(question.question), { chars: outcome === null ? 1500 : 200, lines: 15 });
  const quote = `<blockquote>${escapeHtml(asked).replaceAll('\n', '<br>')}</blockquote>`;
  const quoted = asked.split('\n').map((line) => `> ${line}`);
  const task = `<b>${name}</b><code>${escapeHtml(question.task)}</code>`;
  if (outcome !== null) {
    const said = oneLine(view.mask(outcome), 300);
    return {
      body: [`${name}${question.task}`, ...quoted, said].join('\n'),
      html: `${task}${quote}${escapeHtml(said)}<br>`,
    };
  }
  const runs = commandOf(question, view.mask, 1000);
  const lines = choiceLines(question, position, view.mask);
  return {
    body: [
      `${name}${question.task}`,
      ...quoted,
      ...(runs === null ? [] : [runs]),
      ...lines,
      `or: ${question.command}`,
    ].join('\n'),
    html: [
      `${task}${quote}`,
      ...(runs === null ? [] : [`<pre><code>${escapeHtml(runs)}</code></pre>`]),
      ...lines.map((line) => `${escapeHtml(line)}<br>`),
      `or: <code>${escapeHtml(question.command)}</code><br>`,
    ].join(''),
  };
}

function choiceLines(question: Question, position: number, mask: (text: string) => string): string[] {
  if (!isAnswerable(question)) return ['Secrets are not taken from a room: answer in a terminal.'];
  if (question.choices.length === 0) return [`reply with ${position + 1} and the answer`];
  return question.choices
    .slice(0, mostChoices)
    .map(
      ({ label }, index) =>
        `${labelOf(position, index)}. ${oneLine(mask(label), 120)}${index === question.selected ? ' (preselected)' : ''}`,
    );
}

function howToAnswer(asked: readonly Asked[]): string | null {
  const open = asked.flatMap((one, position) =>
    one.outcome === null && isAnswerable(one.question) ? [{ ...one, position }] : [],
  );
  const labels = open.flatMap(({ question, position }) => (question.choices.length > 0 ? [labelOf(position, 0)] : []));
  if (open.length === 0) return null;
  const [first] = open;
  const text = `${(first?.position ?? 0) + 1} and some words`;
  if (labels.length === 0) return `Reply with ${text}.`;
  const several = labels.length > 1 ? `, or several at once: ${labels.slice(0, 2).join(' ')}` : '';
  return `Reply with ${labels[0]}${several}; or with the number of a question and the words of a choice.`;
}

/** The reactions that answer a shared message: the names of the choices, since emoji have no two places. */
export function seedsForGroup(questions: readonly Question[]): string[] {
  return questions.flatMap((question, position) =>
    seedsFor(question).length === 0
      ? []
      : question.choices.slice(0, mostChoices).map((_, choice) => labelOf(position, choice)),
  );
}

/** What the answers to a message mean, for whoever reads the room: it stands in the event itself. */
export function meaningOf(asked: readonly Asked[], mask: (text: string) => string): Readonly<Record<string, unknown>> {
  return {
    v: 1,
    run_id: asked[0]?.question.run ?? '',
    questions: asked.map(({ question, outcome }, position) => ({
      asks: question.id,
      task_id: question.task,
      attempt: question.attempt,
      kind: question.subject.kind === 'block' ? question.subject.blockKind : question.subject.kind,
      question: oneLine(mask(question.question), 500),
      ...(question.subject.kind === 'block' && question.subject.runs !== null
        ? { command: oneLine(mask(question.subject.runs), 300) }
        : {}),
      choices: question.choices.slice(0, mostChoices).map(({ label }, choice) => ({
        label: oneLine(mask(label), 100),
        answer: asked.length === 1 ? String(choice + 1) : labelOf(position, choice),
      })),
      selected: question.selected,
      takes_text: isAnswerable(question) && (question.choices.length === 0 || inputOf(question) === 'line'),
      ...(asked.length === 1 ? {} : { number: position + 1 }),
      ...(outcome === null ? {} : { outcome: oneLine(mask(outcome), 300) }),
    })),
  };
}

function inputOf({ subject }: Question): string | null {
  return subject.kind === 'block' ? subject.input : null;
}
