import type { BlockedJudgement, Judgement, QuietJudgement } from './judge.ts';
import type { KernelWitness } from './kernel.ts';
import { refusedTurn } from './rules/agents.ts';

/**
 * What is known of a session, between two looks.
 *
 *   working ⇄ idle | done | unknown | stalled      at once to working; the others after two equal looks and a second of quiet
 *   any → blocked      strong: two equal looks 150 ms apart; weak: two seconds of quiet; a hook: at once
 *   blocked → working  at once on a sign of work; else when the question is gone twice; answered and gone; exit
 */
export interface VerdictState {
  readonly verdict: Verdict;
  readonly candidate: Candidate | null;
  readonly hook: HookWitness | null;
  /** A person, a rule or a room answered the block that is shown; the screen has not moved yet. */
  readonly answeredAt: number | null;
  /** Blocks so far: the same question asked again later is a new one. */
  readonly episodes: number;
  /** What the last question that stood on the screen was about. */
  readonly lastAsked: BlockedJudgement['kind'] | null;
  /** Whether the answer to it was a no; null: somebody else gave it, or nobody did. */
  readonly refused: boolean | null;
  /** Since when it was seen to work, after its last question; null: it was not. */
  readonly workedAt: number | null;
  /** Its hook has spoken, so it will tell of the end of a turn too. */
  readonly isHooked: boolean;
  /** The end of this turn was told. */
  readonly isOver: boolean;
}

export type Verdict =
  | {
      readonly kind: 'working' | 'idle' | 'done' | 'stalled' | 'unknown';
      readonly rule: string;
      readonly since: number;
    }
  | {
      readonly kind: 'blocked';
      readonly asked: BlockedJudgement;
      readonly since: number;
      readonly episode: number;
      readonly by: 'hook' | 'screen' | 'kernel';
      /** Whether the screen has shown this question: a hook is faster than a screen. */
      readonly seen: boolean;
    }
  | { readonly kind: 'ended'; readonly since: number };

interface Candidate {
  readonly key: string;
  readonly since: number;
}

/** What an agent's hook or structured event said last. */
export interface HookWitness {
  readonly state: 'working' | 'done' | 'blocked';
  readonly at: number;
  readonly rule: string;
  /** Present when blocked. */
  readonly asked?: BlockedJudgement;
}

/** What one look finds. */
export type Evidence =
  | { readonly kind: 'exit' }
  | { readonly kind: 'hook'; readonly hook: HookWitness }
  /** Its hook works, though it said nothing of work or waiting. */
  | { readonly kind: 'heard' }
  /** `refused`: the answer was a no. */
  | { readonly kind: 'answered'; readonly refused: boolean | null }
  | {
      readonly kind: 'look';
      readonly screen: Judgement;
      /** Ms since the last output. */
      readonly quietMs: number;
      /** Null: not asked for, or not to be had. */
      readonly kernel: KernelWitness | null;
      /** Changes when anything on the screen does. */
      readonly screenId: string;
      /** The program is an agent, which has turns. */
      readonly isAgent: boolean;
    };

export interface Step {
  readonly state: VerdictState;
  /** Look again after so many ms even if nothing changes; null: only when something does. */
  readonly againMs: number | null;
  /** The rule by which the screen tells that the turn is over, once per turn: for agents whose hook does not say so. */
  readonly over?: string;
}

export const confirmMs = 150;
export const weakQuietMs = 2_000;
const settleMs = 1_000;
const hookFreshMs = 120_000;
/** A screen that asks all this time outlives a hook that says that work goes on. */
const hookOverruledMs = 1_000;
export const stalledMs = 60_000;
/** How long a screen rests before it ends a turn: one that says that it is done, and one that merely waits for the next order. */
export const restMs = { done: 5_000, idle: 20_000 } as const;
/** The same for a program whose hook has spoken before: it will speak again. */
export const hookedRestMs = { done: 30_000, idle: 60_000 } as const;

export function firstVerdict(at: number): VerdictState {
  return {
    verdict: { kind: 'unknown', rule: 'start', since: at },
    candidate: null,
    hook: null,
    answeredAt: null,
    episodes: 0,
    lastAsked: null,
    refused: null,
    workedAt: null,
    isHooked: false,
    isOver: false,
  };
}

/** Returns what is known after one more piece of evidence; `now` is ms since 1970. */
export function nextVerdict(state: VerdictState, evidence: Evidence, now: number): Step {
  if (state.verdict.kind === 'ended') return { state, againMs: null };
  switch (evidence.kind) {
    case 'exit':
      return { state: { ...state, verdict: { kind: 'ended', since: now }, candidate: null }, againMs: null };
    case 'answered': {
      const { refused } = evidence;
      const isAsked = state.verdict.kind === 'blocked';
      return {
        state: isAsked ? { ...state, answeredAt: now, candidate: null, refused } : { ...state, refused },
        againMs: confirmMs,
      };
    }
    case 'heard':
      return { state: { ...state, isHooked: true }, againMs: null };
    case 'hook':
      return onHook(state, evidence.hook, now);
    case 'look':
      return onLook(state, evidence, now);
  }
}

function onHook(state: VerdictState, hook: HookWitness, now: number): Step {
  const heard: VerdictState = { ...state, hook, candidate: null, isHooked: true };
  if (hook.state === 'done')
    return { state: { ...calm(heard, 'done', hook.rule, now), isOver: true }, againMs: confirmMs };
  if (hook.state === 'working' || hook.asked === undefined)
    return { state: { ...calm(heard, 'working', hook.rule, now), workedAt: now, isOver: false }, againMs: confirmMs };
  const { verdict } = state;
  if (verdict.kind === 'blocked' && verdict.seen && verdict.asked.command === hook.asked.command) {
    return { state: { ...heard, verdict: { ...verdict, by: 'hook' } }, againMs: confirmMs };
  }
  if (verdict.kind === 'blocked' && state.answeredAt === null && isReminder(hook.asked)) {
    return { state: heard, againMs: confirmMs };
  }
  return { state: block(heard, hook.asked, 'hook', false, now), againMs: confirmMs };
}

/** Claude Code and Qwen Code notify once more, without the command, that they still wait for the permission they asked for. */
function isReminder({ kind, command }: BlockedJudgement): boolean {
  return kind === 'approval' && command === undefined;
}

type Look = Extract<Evidence, { kind: 'look' }>;

function onLook(state: VerdictState, look: Look, now: number): Step {
  const judged = withRefusal(state, withKernel(look), look);
  if (judged.state === 'blocked') return onAsking(state, judged, look, now);
  const { verdict, hook } = state;
  const isHookBlock = verdict.kind === 'blocked' && verdict.by === 'hook' && !verdict.seen;
  if (isHookBlock && hook?.state === 'blocked' && now - hook.at < hookFreshMs && state.answeredAt === null) {
    return { state: { ...state, candidate: null }, againMs: hookFreshMs - (now - hook.at) };
  }
  if (judged.state === 'working') {
    const { workedAt } = state;
    const turn = judged.rule === kernelRuns ? {} : { workedAt: workedAt ?? now, isOver: false };
    return { state: { ...calm(state, 'working', judged.rule, now), ...turn }, againMs: null };
  }
  const step = withOver(onQuiet(state, judged.state, judged.rule, look, now), judged, look, now);
  if (!isRefused(state, judged, look)) return step;
  return { ...step, againMs: Math.min(step.againMs ?? Infinity, Math.max(weakQuietMs - look.quietMs, confirmMs)) };
}

/** Adds what the screen tells of the end of a turn: it has rested long enough after it was seen to work, and no hook knows better. */
function withOver(step: Step, judged: QuietJudgement, look: Look, now: number): Step {
  const { verdict, hook, workedAt, isHooked, isOver } = step.state;
  if (!look.isAgent || judged.endsTurn !== true || workedAt === null || isOver) return step;
  if (verdict.kind !== 'done' && verdict.kind !== 'idle') return step;
  if (hook !== null && hook.state !== 'working') return step;
  const rest = (isHooked ? hookedRestMs : restMs)[verdict.kind];
  const wait = Math.max(verdict.since + rest - now, hook === null ? 0 : hook.at + hookFreshMs - now);
  if (wait <= 0) return { ...step, state: { ...step.state, isOver: true }, over: judged.rule };
  return { ...step, againMs: Math.min(step.againMs ?? Infinity, wait) };
}

/**
 * Its last question was for a permission, which was refused, and no hook said since then that it goes on or is done. An empty input
 * line alone is no sign: a program may show one while the command that it was allowed runs, and when it is done.
 */
function isRefused(state: VerdictState, judged: Judgement, look: Look): boolean {
  const { hook, lastAsked, refused: saidNo, workedAt } = state;
  if (judged.state !== 'idle' || !look.isAgent || lastAsked !== 'approval') return false;
  if (hook !== null && hook.state !== 'blocked') return false;
  return judged.rule === refusedTurn || (saidNo === true && workedAt === null);
}

const refusedRule = 'idle-after-refusal';

/** A program that was told no ends its turn without a word: its empty input line is where a person says what to do instead. */
function withRefusal(state: VerdictState, judged: Judgement, look: Look): Judgement {
  if (judged.state !== 'idle') return judged;
  const { verdict, answeredAt } = state;
  if (verdict.kind === 'blocked' && answeredAt === null && takesWords(verdict.asked)) return verdict.asked;
  const isQuiet = look.quietMs >= weakQuietMs;
  return isQuiet && isRefused(state, judged, look) ? { ...refused, evidence: judged.evidence } : judged;
}

/** The question is the empty input line, known from `refused` or from a hook that says so. */
function takesWords({ rule, input }: BlockedJudgement): boolean {
  return input === 'line' && (rule === refusedRule || rule === 'hook-question');
}

const refused = {
  state: 'blocked',
  kind: 'question',
  question: 'What should it do instead?',
  choices: [],
  selected: null,
  strength: 'strong',
  fingerprint: refusedRule,
  rule: refusedRule,
  input: 'line',
} as const;

/** The screen asks something. */
function onAsking(state: VerdictState, asked: BlockedJudgement, look: Look, now: number): Step {
  const { verdict } = state;
  const same =
    verdict.kind === 'blocked' &&
    (verdict.asked.fingerprint === asked.fingerprint || (verdict.by === 'hook' && !verdict.seen));
  if (same && state.answeredAt === null) {
    return {
      state: {
        ...state,
        candidate: null,
        verdict: { ...verdict, asked: kept(verdict.asked, asked), seen: true },
        lastAsked: verdict.asked.kind,
      },
      againMs: null,
    };
  }
  const key = `ask:${asked.fingerprint}${same ? `:${look.screenId}` : ''}`;
  const since = state.candidate?.key === key ? state.candidate.since : now;
  const waiting: VerdictState = { ...state, candidate: { key, since } };
  const wait = waitFor(asked, state.hook, since, look.quietMs, now);
  if (wait > 0) return { state: waiting, againMs: wait };
  if (same && (state.answeredAt ?? now) >= now - confirmMs) return { state: waiting, againMs: confirmMs };
  return {
    state: block(waiting, asked, asked.rule.startsWith('kernel') ? 'kernel' : 'screen', true, now),
    againMs: null,
  };
}

/** A hook's question keeps what the hook knew better. */
function kept(before: BlockedJudgement, seen: BlockedJudgement): BlockedJudgement {
  const command = seen.command ?? before.command;
  return { ...seen, kind: before.kind, ...(command === undefined ? {} : { command }) };
}

function waitFor(
  asked: BlockedJudgement,
  hook: HookWitness | null,
  since: number,
  quietMs: number,
  now: number,
): number {
  const confirm = since + confirmMs - now;
  const quiet = asked.strength === 'weak' ? weakQuietMs - quietMs : 0;
  const overrule = hook !== null && hook.state !== 'blocked' ? hook.at + hookOverruledMs - now : 0;
  return Math.max(confirm, quiet, overrule, 0);
}

/** Neither asks nor works: idle, done, unknown or, after long silence, stalled. */
function onQuiet(state: VerdictState, kind: 'idle' | 'done' | 'unknown', rule: string, look: Look, now: number): Step {
  const said =
    state.hook?.state === 'done' && kind !== 'done' ? { kind: 'done' as const, rule: state.hook.rule } : { kind, rule };
  const silent = said.kind === 'unknown' && look.quietMs >= stalledMs;
  const next = silent ? { kind: 'stalled' as const, rule: 'silence' } : said;
  if (state.verdict.kind === next.kind)
    return { state: { ...state, candidate: null }, againMs: untilStalled(next.kind, look.quietMs) };
  const key = `calm:${next.kind}`;
  const since = state.candidate?.key === key ? state.candidate.since : now;
  const waiting: VerdictState = { ...state, candidate: { key, since } };
  if (state.verdict.kind === 'blocked' && now - since >= confirmMs)
    return { state: calm(waiting, 'working', rule, now), againMs: confirmMs };
  if (state.verdict.kind === 'blocked') return { state: waiting, againMs: since + confirmMs - now };
  const wait = Math.max(since + confirmMs - now, settleMs - look.quietMs);
  if (wait > 0) return { state: waiting, againMs: wait };
  return { state: calm(waiting, next.kind, next.rule, now), againMs: untilStalled(next.kind, look.quietMs) };
}

function untilStalled(kind: Verdict['kind'], quietMs: number): number | null {
  return kind === 'unknown'
    ? Math.max(weakQuietMs - quietMs, quietMs >= weakQuietMs ? stalledMs - quietMs : 0, confirmMs)
    : null;
}

const kernelRuns = 'kernel-running';

/** The generic witness: the program sleeps in a read of its terminal, or hides what is typed. Silence alone says nothing. */
function withKernel(look: Look): Judgement {
  const { screen, kernel, quietMs } = look;
  if (kernel === null) return screen;
  if (screen.state === 'blocked' && screen.strength === 'weak' && kernel.foreground === 'running')
    return { state: 'working', rule: kernelRuns, evidence: kernel.program ?? '' };
  if (screen.state !== 'unknown' || quietMs < weakQuietMs) return screen;
  const hidden = kernel.echo === false && kernel.canonical === true;
  if (kernel.foreground !== 'reading' && !hidden) return screen;
  const question = screen.evidence;
  return {
    state: 'blocked',
    kind: hidden ? 'password' : 'question',
    question,
    choices: [],
    selected: null,
    strength: 'weak',
    fingerprint: `kernel:${kernel.program ?? ''}:${question}`,
    rule: hidden ? 'kernel-echo-off' : 'kernel-reading',
    evidence: `${kernel.program ?? 'the program'} waits for input`,
  };
}

function block(
  state: VerdictState,
  asked: BlockedJudgement,
  by: 'hook' | 'screen' | 'kernel',
  seen: boolean,
  now: number,
): VerdictState {
  const episode = state.episodes + 1;
  return {
    ...state,
    verdict: { kind: 'blocked', asked, since: now, episode, by, seen },
    candidate: null,
    answeredAt: null,
    episodes: episode,
    lastAsked: seen ? asked.kind : null,
    refused: null,
    workedAt: null,
    isOver: false,
  };
}

function calm(
  state: VerdictState,
  kind: 'working' | 'idle' | 'done' | 'stalled' | 'unknown',
  rule: string,
  now: number,
): VerdictState {
  const verdict = state.verdict.kind === kind ? state.verdict : { kind, rule, since: now };
  return { ...state, verdict, candidate: null, answeredAt: null };
}
