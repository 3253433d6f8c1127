import type { ReadStream, WriteStream } from 'node:tty';
import type { SessionId } from '../../domain/ids.ts';
import type { Look } from '../style.ts';
import { openDashboardTerminal, type DashboardTerminal } from './draw.ts';
import { nextDashboard } from './next.ts';
import type { RunSource } from './source.ts';
import { firstDashboard, type DashboardCommand, type DashboardEvent, type Notice } from './state.ts';
import { renderDashboard } from './view.ts';

/** What a command of a person does outside; each says what became of it. */
export interface DashboardActions {
  readonly answer: (command: Extract<DashboardCommand, { kind: 'answer' }>) => Promise<Notice>;
  readonly wish: (command: Extract<DashboardCommand, { kind: 'wish' }>) => Promise<Notice>;
  readonly kill: (session: SessionId) => Promise<Notice>;
  /** Has the terminal for itself until it resolves. */
  readonly attach: (session: SessionId) => Promise<Notice>;
  /** Shows what a session writes, until it is disposed of. */
  readonly openOutput: (
    session: SessionId,
    show: (lines: readonly string[], end: string | null) => void,
  ) => AsyncDisposable;
  readonly readHistory: (session: SessionId) => readonly string[];
}

export interface DashboardOptions {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly look: Look;
  readonly mask: (text: string) => string;
  readonly actions: DashboardActions;
  /** Opens where runs come from; it calls back when there may be something new. */
  readonly openSource: (changed: () => void) => RunSource;
  /** Ends the dashboard. */
  readonly signal: AbortSignal;
}

/** Between two looks at the source at least this, and twenty times what the last one took: at most 5 % of a core. */
const leastBetweenMs = 50;
const restFactor = 20;

/** Shows the dashboard until the person or the signal ends it; the terminal is as before, whatever happens. */
export async function openDashboard(options: DashboardOptions): Promise<void> {
  const { stdin, stdout, actions, look, mask, signal } = options;
  const over = Promise.withResolvers<void>();
  let state = firstDashboard;
  let terminal: DashboardTerminal | null = null;
  let items: readonly (string | null)[] = [];
  let second: NodeJS.Timeout | null = null;
  let output: AsyncDisposable | null = null;
  let next: NodeJS.Timeout | null = null;
  let isReading = false;
  let isStale = false;
  let restUntil = 0;
  let isClosed = false;
  using source = options.openSource(changed);

  function changed(): void {
    isStale = true;
    if (isReading || next !== null || isClosed) return;
    next = setTimeout(() => void read().catch(over.reject), Math.max(0, restUntil - performance.now()));
  }

  async function read(): Promise<void> {
    next = null;
    isReading = true;
    isStale = false;
    const from = performance.now();
    const snapshot = await source.read(state.unfolded);
    isReading = false;
    if (isClosed) return;
    const to = performance.now();
    restUntil = to + Math.max(leastBetweenMs, (to - from) * restFactor);
    send({ kind: 'snapshot', snapshot, now: Date.now() });
    if (isStale) changed();
  }

  function send(event: DashboardEvent): void {
    const step = nextDashboard(state, event);
    state = step.state;
    paint();
    for (const command of step.commands) void perform(command).catch(over.reject);
  }

  function paint(): void {
    if (second !== null) clearTimeout(second);
    second = null;
    if (terminal === null) return;
    const { columns, rows } = terminal;
    const lastLine = (session: SessionId): string | null => source.lastLine(session);
    const picture = renderDashboard(state, { now: Date.now(), columns, rows, look, mask, lastLine, from: source.from });
    items = picture.items;
    terminal.draw(picture.lines);
    if (ticks()) second = setTimeout(paint, 1_000);
  }

  /** Something on the screen shows a clock that runs. */
  function ticks(): boolean {
    const { runs, waiting } = state.snapshot;
    return waiting.length > 0 || runs.some((run) => run.endedAt === null && run.running > 0);
  }

  async function perform(command: DashboardCommand): Promise<void> {
    switch (command.kind) {
      case 'quit':
        return over.resolve();
      case 'suspend':
        return suspend();
      case 'read':
        restUntil = 0;
        return changed();
      case 'open-output':
        return openOutput(command.session);
      case 'close-output':
        return closeOutput();
      case 'read-history':
        return send({ kind: 'history', session: command.session, lines: actions.readHistory(command.session) });
      case 'attach':
        return attach(command.session);
      case 'kill':
        return say(await actions.kill(command.session));
      case 'answer':
        return say(await actions.answer(command));
      case 'wish':
        return say(await actions.wish(command));
    }
  }

  function say(notice: Notice): void {
    send({ kind: 'said', notice });
    changed();
  }

  async function openOutput(session: SessionId): Promise<void> {
    await closeOutput();
    output = actions.openOutput(session, (lines, end) => send({ kind: 'output', session, lines, end }));
  }

  async function closeOutput(): Promise<void> {
    const before = output;
    output = null;
    await before?.[Symbol.asyncDispose]();
  }

  async function attach(session: SessionId): Promise<void> {
    leave();
    const notice = await actions.attach(session);
    await enter();
    say(notice);
  }

  async function suspend(): Promise<void> {
    leave();
    const back = new Promise((resolve) => void process.once('SIGCONT', resolve));
    process.kill(process.pid, 'SIGSTOP');
    await back;
    await enter();
  }

  function leave(): void {
    if (second !== null) clearTimeout(second);
    terminal?.[Symbol.dispose]();
    terminal = null;
  }

  async function enter(): Promise<void> {
    if (isClosed || signal.aborted) return;
    terminal = await openDashboardTerminal(stdin, stdout, {
      key: (key, text) => send({ kind: 'key', key, text, now: Date.now() }),
      click: (row) => {
        const item = items[row] ?? null;
        if (item !== null) send({ kind: 'click', item });
      },
      wheel: (lines) => send({ kind: 'wheel', lines }),
      resized: paint,
    });
    paint();
  }

  const gone = (): void => over.resolve();
  signal.addEventListener('abort', gone);
  stdout.on('error', gone);
  stdin.on('end', gone);
  stdin.on('error', gone);
  try {
    await read();
    await enter();
    await over.promise;
  } finally {
    isClosed = true;
    leave();
    if (next !== null) clearTimeout(next);
    signal.removeEventListener('abort', gone);
    await closeOutput();
  }
}
