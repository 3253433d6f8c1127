import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFailed } from 'vitest';
import type { Block } from '../../src/domain/block.ts';
import type { CisEvent } from '../../src/domain/event.ts';
import type { RunId, TaskId } from '../../src/domain/ids.ts';
import { recordingPath } from '../../src/config/home.ts';
import { decodeText } from '../../src/host/cast.ts';
import { newTerminal, writeNow } from '../../src/host/screen.ts';
import { readCastEvents, readCastHeader } from '../../src/host/transcript.ts';
import { look, watchCis, writeDag, type Watched } from '../executor/support.ts';
import { openWorld, type World } from '../support/world.ts';
import { agentEnv, binOf, prepareHome, programNamed } from './programs.ts';

/** A home with what a user of the programs would have configured, a fresh project, and cis. */
export interface AgentWorld extends AsyncDisposable {
  readonly world: World;
  readonly project: string;
  readonly env: Readonly<Record<string, string>>;
  /** Starts `cis dag run` with the tasks of a DAG, in TOML. */
  run(tasks: string, mode?: 'oneshot' | 'interactive'): Watched;
  /** What a task that has completed left, or null. */
  output(task: string): Promise<string>;
  /** How each task stands. */
  states(): Record<string, string>;
}

export interface AskedTask {
  readonly block: Block;
  /** Ms from the screen that shows the question to its `task-blocked` event in the log, as a reader of the log sees it. */
  readonly delayMs: number;
}

type Blocked = Extract<CisEvent, { kind: 'task-blocked' }>;

const runId = 'real';

// Not below /tmp: Codex refuses that for its home.
const worlds =
  process.env['CIS_SEALED'] === undefined
    ? join(process.env['HOME'] ?? '/tmp', '.cache', 'cis-agent-worlds')
    : '/home/worlds';

/** Opens a world in which an agent is started for the first time. */
export function openAgentWorld(agent: string, url: string): AgentWorld {
  mkdirSync(worlds, { recursive: true });
  process.env['TMPDIR'] = worlds;
  const world = openWorld();
  const home = world.env['HOME'] ?? '';
  makeRepository(world.dir);
  prepareHome(home, url);
  const path = `${binOf(programNamed(agent))}:${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`;
  const env = { ...world.env, ...agentEnv(home, url, path) };
  const opened: AgentWorld = {
    world,
    env,
    project: world.dir,
    run(tasks, mode = 'interactive') {
      const file = writeDag(world, `[dag]\nname = "real"\ndefault_agent = "${agent}"\n${tasks}`);
      const run = watchCis(world, ['dag', 'run', file, '--run-id', runId, '--mode', mode], env);
      onTestFailed(async () => console.log(await story(opened, run)));
      return run;
    },
    async output(task) {
      const { stdout } = await world.cis(['dag', 'output', `${runId}:${task}`], { env });
      return stdout.trimEnd();
    },
    states: () => look(world, runId).states,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
  return opened;
}

function makeRepository(dir: string): void {
  for (const sub of ['objects', 'refs']) mkdirSync(join(dir, '.git', sub), { recursive: true });
  writeFileSync(join(dir, '.git', 'HEAD'), 'ref: refs/heads/main\n');
}

/** Waits until the `nth` question of a task is in the log with its choices; the error has the screen of its session. */
export async function untilBlocked(at: AgentWorld, run: Watched, task: string, nth = 1): Promise<AskedTask> {
  let seenAt = 0;
  const found = await run.waitFor((event) => {
    if (event.kind !== 'task-blocked' || event.task !== task) return false;
    if (event.block.choices.length === 0 || !event.block.id.endsWith(`!${nth}`)) return false;
    seenAt = Date.now();
    return true;
  });
  if (found?.kind !== 'task-blocked') throw new Error(`not blocked: ${await story(at, run)}`);
  return { block: found.block, delayMs: delayOf(at, found, nth, seenAt) };
}

/** Waits until the program has been told no and wants to hear what to do instead. */
export async function untilWordsWanted(run: Watched): Promise<Blocked> {
  const found = await run.waitFor(
    (event) => event.kind === 'task-blocked' && event.block.question === 'What should it do instead?',
  );
  if (found?.kind !== 'task-blocked') throw new Error('nobody was asked for words');
  return found;
}

/** Answers by `cis dag unblock --text`. */
export async function tell(at: AgentWorld, task: string, text: string): Promise<void> {
  const { code, stderr } = await at.world.cis(['dag', 'unblock', `${runId}:${task}`, '--text', text], { env: at.env });
  if (code !== 0) throw new Error(`unblock ended with ${code}: ${stderr}\n${await why(at, task)}`);
}

/** Answers by `cis dag unblock --choose`, with the number of the choice whose label fits. */
export async function choose(at: AgentWorld, task: string, block: Block, label: RegExp): Promise<void> {
  const index = block.choices.findIndex((choice) => label.test(choice.label));
  if (index < 0) throw new Error(`no choice ${String(label)} in ${JSON.stringify(block)}`);
  const args = ['dag', 'unblock', `${runId}:${task}`, '--choose', `${index + 1}`];
  const { code, stderr } = await at.world.cis(args, { env: at.env });
  if (code !== 0) throw new Error(`unblock ended with ${code}: ${stderr}`);
}

/** What the monitor knows of a session now. */
async function why(at: AgentWorld, task: string): Promise<string> {
  const { stdout, stderr } = await at.world.cis(['dag', 'why', `${runId}:${task}`], { env: at.env });
  return stdout + stderr;
}

async function story(at: AgentWorld, run: Watched): Promise<string> {
  return `${JSON.stringify(run.events.slice(-6))}\n${await why(at, 'make')}`;
}

/**
 * The recording has the output and the monitor's mark of the block on one clock; the mark is set at the block's `since`. The screen
 * shows the question from the first output after which every choice stands on it.
 */
function delayOf(at: AgentWorld, { attempt, block, task }: Blocked, nth: number, seenAt: number): number {
  const path = recordingPath(at.world.home, runId as RunId, task, attempt);
  const { width = 80, height = 24 } = readCastHeader(path) ?? {};
  const terminal = newTerminal(width, height, 0);
  let shownAt: number | null = null;
  let markedAt: number | null = null;
  let marks = 0;
  for (const [atSeconds, kind, data] of readCastEvents(path)) {
    if (kind === 'm' && data.startsWith('cis: blocked') && (marks += 1) === nth) markedAt = atSeconds;
    if (kind !== 'o') continue;
    writeNow(terminal, decodeText(data));
    if (!showsChoices(terminal, block)) shownAt = null;
    else shownAt ??= atSeconds;
    if (markedAt !== null && shownAt !== null) break;
  }
  if (markedAt === null || shownAt === null)
    throw new Error(`${block.id} is not in its recording: ${markedAt} ${shownAt}`);
  return Math.round(seenAt - block.since - (shownAt - markedAt) * 1_000);
}

function showsChoices(terminal: ReturnType<typeof newTerminal>, { choices }: Block): boolean {
  const { active } = terminal.buffer;
  const rows = Array.from({ length: terminal.rows }, (_, row) => active.getLine(active.baseY + row));
  const text = rows.map((row) => row?.translateToString(true) ?? '').join(' ');
  return choices.every(({ label }) => text.includes(label.slice(0, 12)));
}

/** The process that a session's `task-running` names. */
export function pidOf(run: Watched, task: string): number {
  const found = run.events.findLast((event) => event.kind === 'task-running' && event.task === (task as TaskId));
  if (found?.kind !== 'task-running') throw new Error(`${task} does not run`);
  return found.pid;
}

/** Processes that belong to a program of this world's `bin`, wherever they went: an agent's background server would be one. */
export function agentProcesses(agent: string, { env }: AgentWorld): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      if (!/^\d+$/.test(pid)) return false;
      const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, 2).join(' ');
      return (
        variables.includes(`HOME=${env['HOME']}`) &&
        words.includes(binOf(programNamed(agent)).split('/node_modules')[0] ?? agent)
      );
    } catch {
      return false; // it has ended meanwhile
    }
  });
}
