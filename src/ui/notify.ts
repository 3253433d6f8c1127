import type { Block } from '../domain/block.ts';
import type { LoggedEvent } from '../domain/event.ts';
import { sessionId, type BlockId, type RunId, type TaskId } from '../domain/ids.ts';

export interface NotifyOptions {
  readonly run: RunId;
  /** Writes to the terminal that shows the run; absent: there is none. */
  readonly terminal?: (text: string) => void;
  readonly bell: boolean;
  readonly osc9: boolean;
  readonly desktop: boolean;
  /** argv with placeholders such as `{{ question }}`; empty: none. */
  readonly command: readonly string[];
  readonly graceMs: number;
  readonly cooldownMs: number;
  readonly mask: (text: string) => string;
  /** For tests: starts a program and forgets it. */
  readonly start?: (argv: readonly string[]) => void;
}

export interface Notifier extends Disposable {
  /** Takes events after they were committed. */
  see(events: readonly LoggedEvent[]): void;
}

interface Question {
  readonly task: TaskId;
  readonly attempt: number;
  readonly block: Block;
}

/** Tells a person that sessions wait: after a grace in which somebody may answer anyway, and not again and again. */
export function openNotifier(options: NotifyOptions): Notifier {
  const start = options.start ?? startProgram;
  const waiting = new Map<BlockId, NodeJS.Timeout>();
  const told = new Set<BlockId>();
  let due: Question[] = [];
  let toldAt = -Infinity;
  let cooling: NodeJS.Timeout | null = null;

  function take({ event }: LoggedEvent): void {
    if (event.kind === 'task-blocked') return plan(event);
    if (event.kind === 'task-unblocked') return forget(event.block);
    if (!('task' in event) || !event.kind.startsWith('task-')) return;
    const session = sessionId(options.run, event.task, 1);
    for (const id of waiting.keys()) if (id.startsWith(`${session}!`) || id.startsWith(`${session}#`)) forget(id);
  }

  function plan(question: Question): void {
    const { block } = question;
    if (told.has(block.id)) return;
    forget(block.id);
    if (block.waits === true) return;
    const graceMs = block.kind === 'approval' && block.rule.startsWith('hook') ? 0 : options.graceMs;
    waiting.set(
      block.id,
      setTimeout(() => tell(question), graceMs),
    );
  }

  function forget(id: BlockId): void {
    clearTimeout(waiting.get(id));
    waiting.delete(id);
    due = due.filter((question) => question.block.id !== id);
  }

  function tell(question: Question): void {
    waiting.delete(question.block.id);
    told.add(question.block.id);
    if (options.command.length > 0) start(fill(options.command, question, options));
    due.push(question);
    if (cooling !== null) return;
    cooling = setTimeout(ring, Math.max(0, toldAt + options.cooldownMs - performance.now()));
  }

  function ring(): void {
    cooling = null;
    const [first] = due;
    if (first === undefined) return;
    const text = due.length === 1 ? sentence(first, options) : `${due.length} sessions of ${options.run} wait for you`;
    due = [];
    toldAt = performance.now();
    if (options.bell) options.terminal?.('\u0007');
    if (options.osc9) options.terminal?.(`\u001b]9;${text}\u0007`);
    if (options.desktop) start(desktopArgv(text, process.platform));
  }

  return {
    see: (events) => events.forEach(take),
    [Symbol.dispose]() {
      for (const timer of waiting.values()) clearTimeout(timer);
      if (cooling !== null) clearTimeout(cooling);
    },
  };
}

function sentence({ task, block }: Question, { run, mask }: NotifyOptions): string {
  return plain(mask(`${run}:${task} asks: ${block.question}`)).slice(0, 200);
}

/** Nothing of a program's text may control the terminal that shows it. */
function plain(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}

/** The text is an argument of its own on every system, never part of a script. */
export function desktopArgv(text: string, platform: NodeJS.Platform): readonly string[] {
  if (platform !== 'darwin') return ['notify-send', '--app-name=cis', '--', 'cis', text];
  const script = 'on run argv\ndisplay notification (item 1 of argv) with title "cis"\nend run';
  return ['osascript', '-e', script, text];
}

/** Fills the placeholders of `notify.command`; each value stays within its argument. */
function fill(argv: readonly string[], { task, attempt, block }: Question, { run, mask }: NotifyOptions): string[] {
  const values: Readonly<Record<string, string>> = {
    run,
    task,
    session: sessionId(run, task, attempt),
    kind: block.kind,
    question: plain(mask(block.question)),
    command: plain(mask(block.command ?? '')),
    choices: plain(mask(block.choices.map((choice, index) => `${index + 1} ${choice.label}`).join(', '))),
  };
  return argv.map((word) => word.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => values[name] ?? whole));
}

/** A program that is not there, or fails, is no reason to disturb the run. */
function startProgram([file = '', ...args]: readonly string[]): void {
  const child = process.getBuiltinModule('node:child_process').spawn(file, args, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
