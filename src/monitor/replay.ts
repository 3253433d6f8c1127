import type { BlockKind } from '../domain/block.ts';
import { decodeText, type CastEvent, type CastHeader } from '../host/cast.ts';
import { newTerminal, resizeNow, writeNow } from '../host/screen.ts';
import { judgeScreen, type Judgement, type RuleBook } from './judge.ts';
import type { ScreenInput } from './look.ts';
import { openMonitor, type MonitorClock } from './open-monitor.ts';
import { readLook } from './render.ts';
import type { Verdict } from './verdict.ts';

export interface Recorded {
  readonly header: CastHeader;
  readonly events: Iterable<CastEvent>;
  /** Picks the rules; absent: those for any program. */
  readonly agent?: string;
}

/** What was decided at a time, in seconds from the beginning. */
export interface Decision {
  readonly at: number;
  readonly state: Exclude<Verdict['kind'], 'ended'>;
  readonly rule: string;
}

/** A verdict that the rules of now come to. */
export interface Change extends Decision {
  readonly kind?: BlockKind;
  readonly question?: string;
}

export interface Replayed {
  readonly changes: readonly Change[];
  /** The verdicts of the monitor that watched the session, from the index of its recording. */
  readonly marks: readonly Decision[];
  /** The size limit dropped output before the end: what is judged after that is in doubt. */
  readonly hasGap: boolean;
  /** The screen where the replay stopped, and what it alone is judged to be. */
  readonly screen: ScreenInput;
  readonly judgement: Judgement;
}

/** The monitor's looks come a little earlier or later than they did, so an index that ends with one is played this much further. */
const jitterMs = 500;
/** A recording without an index stops with its last output, whose screen is taken to have stayed; a weak question needs two seconds. */
const stayMs = 3_000;

/**
 * Plays a recording through the monitor as it went, with the rules of now and the screen as the only witness: what a hook or the
 * kernel said then is not in it. `untilSeconds` stops before its end.
 */
export function replayRecording(recorded: Recorded, rules: RuleBook, untilSeconds = Infinity): Replayed {
  const { header, events, agent } = recorded;
  const beganAt = Math.round(header.timestamp * 1_000);
  const clock = openReplayClock(beganAt);
  const terminal = newTerminal(header.width, header.height, 0);
  const changes: Change[] = [];
  const marks: Decision[] = [];
  let title = '';
  let hasGap = false;
  terminal.onTitleChange((next) => {
    title = next;
  });
  const readScreen = (): ScreenInput => ({
    ...readLook(terminal, title),
    cols: terminal.cols,
    rows: terminal.rows,
    ...(agent === undefined ? {} : { agent }),
  });
  const monitor = openMonitor<'replayed'>({
    clock,
    rules,
    readScreen,
    onVerdict: (_, verdict) => {
      if (verdict.kind !== 'ended') changes.push(changeOf((clock.now() - beganAt) / 1_000, verdict));
    },
  });
  monitor.add('replayed');
  for (const [at, kind, data] of events) {
    if (at > untilSeconds) break;
    clock.advanceTo(beganAt + at * 1_000);
    if (kind === 'o') {
      writeNow(terminal, decodeText(data));
      monitor.changed('replayed');
    }
    const size = kind === 'r' ? /^(\d{1,4})x(\d{1,4})$/.exec(data) : null;
    if (size !== null) resizeNow(terminal, Number(size[1]), Number(size[2]));
    const mark = kind === 'm' ? markOf(at, data) : null;
    if (mark !== null) marks.push(mark);
    hasGap ||= kind === 'm' && /^cis: \d+ bytes of output were dropped/.test(data);
  }
  const further = clock.now() + (marks.length > 0 ? jitterMs : stayMs);
  clock.advanceTo(Math.min(further, beganAt + untilSeconds * 1_000));
  const screen = readScreen();
  const judgement = judgeScreen(screen, clock.now(), rules);
  monitor.close();
  terminal.dispose();
  return { changes, marks, hasGap, screen, judgement };
}

function changeOf(at: number, verdict: Exclude<Verdict, { kind: 'ended' }>): Change {
  if (verdict.kind !== 'blocked') return { at, state: verdict.kind, rule: verdict.rule };
  const { kind, question, rule } = verdict.asked;
  return { at, state: 'blocked', rule, kind, question };
}

/** Reads a mark as the host writes it: `cis: STATE (RULE)`. */
function markOf(at: number, text: string): Decision | null {
  const match = /^cis: (working|idle|done|stalled|unknown|blocked) \(([^\p{Cc}]*)\)$/u.exec(text);
  if (match === null) return null;
  return { at, state: match[1] as Decision['state'], rule: match[2] ?? '' };
}

/**
 * A clock that stands still until it is moved; the monitor has one timer at most. Whole milliseconds, as the host's clock: of a wait that
 * a fraction makes a trifle too short, a rest too small to move the clock would be left for ever.
 */
function openReplayClock(from: number): MonitorClock & { advanceTo(time: number): void } {
  let now = from;
  let timer: { readonly at: number; readonly call: () => void } | null = null;
  return {
    now: () => now,
    after(ms, call) {
      const mine = { at: now + ms, call };
      timer = mine;
      return () => {
        if (timer === mine) timer = null;
      };
    },
    advanceTo(time) {
      const at = Math.round(time);
      for (let due = timer; due !== null && due.at <= at; due = timer) {
        timer = null;
        now = Math.max(now, due.at);
        due.call();
      }
      now = Math.max(now, at);
    },
  };
}
