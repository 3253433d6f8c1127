import { createHash } from 'node:crypto';
import { judgeScreen, openRuleBook, type RuleBook } from './judge.ts';
import type { KernelWitness } from './kernel.ts';
import type { ScreenInput } from './look.ts';
import {
  firstVerdict,
  nextVerdict,
  weakQuietMs,
  type Evidence,
  type HookWitness,
  type Verdict,
  type VerdictState,
} from './verdict.ts';

/** The clock, so that tests have their own. */
export interface MonitorClock {
  now(): number;
  /** Calls once after `ms`; returns what cancels it. */
  after(ms: number, call: () => void): () => void;
}

export interface MonitorPorts<Id> {
  readonly clock: MonitorClock;
  readonly readScreen: (session: Id) => ScreenInput;
  /** Null, or absent: no such witness here. */
  readonly readKernel?: (session: Id) => Promise<KernelWitness | null>;
  /** Called when a verdict changes in kind, question or episode; the state before is given too. */
  readonly onVerdict: (session: Id, verdict: Verdict, before: Verdict) => void;
  /** Called when the screen tells that an agent's turn is over, and no hook said so; `rule` is the one that saw it. */
  readonly onTurnOver?: (session: Id, rule: string) => void;
  readonly rules?: RuleBook;
  /** The rules of one session, where they differ from the others'. */
  readonly rulesOf?: (session: Id) => RuleBook | null;
}

export interface Monitor<Id> {
  add(session: Id): void;
  /** The session wrote something. Cheap: called for every chunk. */
  changed(session: Id): void;
  hook(session: Id, hook: HookWitness): void;
  /** Its hook has spoken, if only to say that it is there. */
  heard(session: Id): void;
  /** An answer was given, `refused` if it was a no; the block ends when the screen moves. */
  answered(session: Id, refused: boolean | null): void;
  exited(session: Id): void;
  verdict(session: Id): Verdict | null;
  close(): void;
}

/** A screen is looked at this long after it went quiet, and while it does not at most this often. */
const quietAfterMs = 80;
const betweenLooksMs = 250;
/** One turn of the event loop looks at screens for at most this long. */
const turnMs = 5;

type Look = Extract<Evidence, { kind: 'look' }>;

interface Watched {
  state: VerdictState;
  outputAt: number;
  lookedAt: number;
  dueAt: number;
  /** Output came since the last look. */
  dirty: boolean;
  /** What the last look saw, while it still holds: a folded screen costs milliseconds to read again, for as many as are silent at once. */
  seen: Pick<Look, 'screen' | 'screenId' | 'isAgent'> | null;
  asking: boolean;
}

/** Watches sessions: no timer runs while nothing changes, and one that floods delays no other. */
export function openMonitor<Id>(ports: MonitorPorts<Id>): Monitor<Id> {
  const { clock } = ports;
  const rules = ports.rules ?? openRuleBook();
  const sessions = new Map<Id, Watched>();
  let cancel: (() => void) | null = null;
  let timerAt = Infinity;
  let closed = false;

  function plan(watched: Watched, at: number): void {
    watched.dueAt = Math.min(watched.dueAt, at);
    arm(watched.dueAt);
  }

  function arm(at: number): void {
    if (closed || at >= timerAt) return;
    cancel?.();
    timerAt = at;
    cancel = clock.after(Math.max(0, at - clock.now()), turn);
  }

  function turn(): void {
    cancel = null;
    timerAt = Infinity;
    const started = clock.now();
    const due = [...sessions]
      .filter(([, watched]) => watched.dueAt <= started)
      .toSorted((a, b) => a[1].dueAt - b[1].dueAt);
    for (const [id, watched] of due) {
      if (clock.now() - started > turnMs) break;
      look(id, watched);
    }
    let next = Infinity;
    for (const watched of sessions.values()) next = Math.min(next, watched.dueAt);
    if (next < Infinity) arm(next);
  }

  function look(id: Id, watched: Watched): void {
    watched.dueAt = Infinity;
    watched.lookedAt = clock.now();
    watched.dirty = false;
    watched.seen ??= judge(id);
    const { screen } = watched.seen;
    const quietMs = clock.now() - watched.outputAt;
    const look: Look = { kind: 'look', ...watched.seen, quietMs, kernel: null };
    const uncertain = screen.state === 'unknown' || (screen.state === 'blocked' && screen.strength === 'weak');
    if (ports.readKernel === undefined || !uncertain || quietMs < weakQuietMs || watched.asking) {
      feed(id, watched, look);
      return;
    }
    watched.asking = true;
    const seen = watched.outputAt;
    void ports.readKernel(id).then(
      (kernel) => settle(id, watched, { ...look, kernel }, seen),
      () => settle(id, watched, look, seen),
    );
  }

  function judge(id: Id): NonNullable<Watched['seen']> {
    const input = ports.readScreen(id);
    return {
      screen: judgeScreen(input, clock.now(), ports.rulesOf?.(id) ?? rules),
      screenId: createHash('sha1').update(input.lines.join('\n')).digest('base64'),
      isAgent: input.agent !== undefined && input.agent !== 'generic',
    };
  }

  /** The kernel was asked about a screen; if that has moved on, the answer is about nothing. */
  function settle(id: Id, watched: Watched, look: Look, seen: number): void {
    watched.asking = false;
    if (sessions.get(id) === watched && watched.outputAt === seen) feed(id, watched, look);
  }

  function feed(id: Id, watched: Watched, evidence: Evidence): void {
    const before = watched.state.verdict;
    const step = nextVerdict(watched.state, evidence, clock.now());
    watched.state = step.state;
    if (step.againMs !== null) plan(watched, clock.now() + step.againMs);
    if (isNews(before, step.state.verdict)) ports.onVerdict(id, step.state.verdict, before);
    if (step.over !== undefined) ports.onTurnOver?.(id, step.over);
  }

  function tell(id: Id, evidence: Evidence): void {
    const watched = sessions.get(id);
    if (watched !== undefined) feed(id, watched, evidence);
  }

  return {
    add(session) {
      const now = clock.now();
      sessions.set(session, {
        state: firstVerdict(now),
        outputAt: now,
        lookedAt: -Infinity,
        dueAt: Infinity,
        dirty: false,
        seen: null,
        asking: false,
      });
    },
    changed(session) {
      const watched = sessions.get(session);
      if (watched === undefined) return;
      watched.outputAt = clock.now();
      watched.seen = null;
      if (watched.dirty) return;
      watched.dirty = true;
      plan(watched, Math.max(watched.outputAt + quietAfterMs, watched.lookedAt + betweenLooksMs));
    },
    hook: (session, hook) => tell(session, { kind: 'hook', hook }),
    heard: (session) => tell(session, { kind: 'heard' }),
    answered: (session, refused) => tell(session, { kind: 'answered', refused }),
    exited(session) {
      tell(session, { kind: 'exit' });
      sessions.delete(session);
    },
    verdict: (session) => sessions.get(session)?.state.verdict ?? null,
    close() {
      closed = true;
      cancel?.();
      sessions.clear();
    },
  };
}

function isNews(before: Verdict, after: Verdict): boolean {
  if (before.kind !== after.kind) return true;
  return (
    before.kind === 'blocked' &&
    after.kind === 'blocked' &&
    (before.episode !== after.episode || before.asked.fingerprint !== after.asked.fingerprint)
  );
}
