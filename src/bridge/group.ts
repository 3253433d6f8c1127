import { seedsFor, isAnswerable, commandOf, pill, type Question, type QuestionView } from './question.ts';
import { firstFitting, type Message } from './message.ts';
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
/** What a message of several may have in bytes of JSON, with what it means: so much is shown uncut, and is left over for outcomes. */
const mostBytes = 27_000;

/** What a question, its parts and what came of it may have, in characters: more are shown where all of them fit. */
const limits = [
  { question: 1500, command: 1000, choice: 120, settled: 200, outcome: 300 },
  { question: 500, command: 300, choice: 60, settled: 100, outcome: 100 },
  { question: 200, command: 100, choice: 20, settled: 60, outcome: 60 },
] as const;

type Limit = (typeof limits)[number];

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
  const asked = { question, outcome: null };
  const { body, html } = renderPart(asked, 0, view, limits[0]);
  // An edit says the words twice, once for clients that know no edits.
  return 2 * bytesOf(body) + bytesOf(html) + bytesOf(meaningOf([asked], view.mask));
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** `2b`: the choice of a question of a shared message, both counted from 0. */
export function labelOf(position: number, choice: number): string {
  return `${position + 1}${String.fromCharCode(97 + choice)}`;
}

/** The message that asks several questions, and says of each that was settled what came of it. */
export function renderGroup(asked: readonly Asked[], view: QuestionView): Message {
  return firstFitting(limits.map((limit) => () => renderWithin(asked, view, limit)));
}

function renderWithin(asked: readonly Asked[], view: QuestionView, limit: Limit): Message {
  const open = asked.filter(({ outcome }) => outcome === null).length;
  const title = `${open === 0 ? '✅' : '✋'} ${oneLine(view.dag, 60)} · ${headOf(asked, open)}`;
  const parts = asked.map((one, position) => renderPart(one, position, view, limit));
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

function renderPart({ question, outcome }: Asked, position: number, view: QuestionView, limit: Limit): Message {
  const name = `${position + 1}. `;
  const chars = outcome === null ? limit.question : limit.settled;
  const asked = plainText(view.mask(question.question), { chars, lines: 15 });
  const quote = `<blockquote>${escapeHtml(asked).replaceAll('\n', '<br>')}</blockquote>`;
  const quoted = asked.split('\n').map((line) => `> ${line}`);
  const task = `<b>${name}</b><code>${escapeHtml(question.task)}</code>`;
  if (outcome !== null) {
    const said = oneLine(view.mask(outcome), limit.outcome);
    return {
      body: [`${name}${question.task}`, ...quoted, said].join('\n'),
      html: `${task}${quote}${escapeHtml(said)}<br>`,
    };
  }
  const runs = commandOf(question, view.mask, limit.command);
  const lines = choiceLines(question, position, view.mask, limit.choice);
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

function choiceLines(question: Question, position: number, mask: (text: string) => string, chars: number): string[] {
  if (!isAnswerable(question)) return ['Secrets are not taken from a room: answer in a terminal.'];
  if (question.choices.length === 0) return [`reply with ${position + 1} and the answer`];
  return question.choices
    .slice(0, mostChoices)
    .map(
      ({ label }, index) =>
        `${labelOf(position, index)}. ${oneLine(mask(label), chars)}${index === question.selected ? ' (preselected)' : ''}`,
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
      question: oneLine(mask(question.question), outcome === null ? 500 : 100),
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
      ...(outcome === null ? {} : { outcome: oneLine(mask(outcome), 100) }),
    })),
  };
}

function inputOf({ subject }: Question): string | null {
  return subject.kind === 'block' ? subject.input : null;
}
