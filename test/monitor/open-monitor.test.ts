import { describe, expect, test } from 'vitest';
import type { KernelWitness } from '../../src/monitor/kernel.ts';
import { openMonitor, type Monitor } from '../../src/monitor/open-monitor.ts';
import type { Verdict } from '../../src/monitor/verdict.ts';
import { openFakeClock, type FakeClock } from '../support/fake-clock.ts';

const asking = ['Do you want to proceed?', '❯ 1. Yes', '  2. No', '', 'Esc to cancel'];

interface Rig {
  readonly clock: FakeClock;
  readonly monitor: Monitor<string>;
  readonly screens: Map<string, readonly string[]>;
  readonly looks: Map<string, number>;
  readonly told: { readonly at: number; readonly session: string; readonly verdict: Verdict }[];
  readonly show: (session: string, lines: readonly string[]) => void;
}

function rig(readKernel?: () => Promise<KernelWitness | null>): Rig {
  const clock = openFakeClock();
  const screens = new Map<string, readonly string[]>();
  const looks = new Map<string, number>();
  const told: Rig['told'] = [];
  const monitor = openMonitor<string>({
    clock,
    readScreen: (session) => {
      looks.set(session, (looks.get(session) ?? 0) + 1);
      return { lines: screens.get(session) ?? [], agent: 'claude' };
    },
    ...(readKernel === undefined ? {} : { readKernel }),
    onVerdict: (session, verdict) => told.push({ at: clock.now(), session, verdict }),
  });
  return {
    clock,
    monitor,
    screens,
    looks,
    told,
    show(session, lines) {
      screens.set(session, lines);
      monitor.changed(session);
    },
  };
}

describe('the monitor', () => {
  test('tells of a question within half a second of the screen showing it', () => {
    const { clock, monitor, told, show } = rig();
    monitor.add('one');
    clock.advanceTo(1_000);
    show('one', asking);
    clock.advanceTo(1_500);
    expect(told.map(({ verdict }) => verdict.kind)).toEqual(['blocked']);
    expect(told[0]?.at).toBeLessThanOrEqual(1_250);
  });

  test('reads a screen that stays as it is once, however long it is silent, and again when it moves', () => {
    const { clock, monitor, told, looks, show } = rig();
    monitor.add('silent');
    show('silent', ['compiling']);
    clock.advanceTo(300_000);
    expect(told.at(-1)?.verdict.kind).toBe('stalled');
    expect(looks.get('silent')).toBe(1);
    show('silent', asking);
    clock.advanceTo(301_000);
    expect(told.at(-1)?.verdict.kind).toBe('blocked');
  });

  test('looks at a screen that keeps changing at most four times a second', () => {
    const { clock, monitor, looks, show } = rig();
    monitor.add('flood');
    for (let at = 0; at < 10_000; at += 5) {
      clock.advanceTo(at);
      show('flood', [`line ${at}`]);
    }
    expect(looks.get('flood')).toBeLessThanOrEqual(41);
    expect(looks.get('flood')).toBeGreaterThan(30);
  });

  test('has no timer while nothing changes, however many sessions there are', () => {
    const { clock, monitor, looks, show } = rig();
    for (let n = 0; n < 200; n += 1) {
      monitor.add(`s${n}`);
      show(`s${n}`, n % 2 === 0 ? asking : ['❯ ', '', '? for shortcuts']);
    }
    clock.advanceTo(200_000);
    const before = [...looks.values()].reduce((sum, count) => sum + count, 0);
    expect(clock.pending).toBe(0);
    clock.advanceTo(2_000_000);
    expect([...looks.values()].reduce((sum, count) => sum + count, 0)).toBe(before);
  });

  test("does not let a session that floods delay another's verdict by more than 250 ms", () => {
    const { clock, monitor, told, show } = rig();
    monitor.add('flood');
    monitor.add('asks');
    for (let at = 0; at < 3_000; at += 1) {
      clock.advanceTo(at);
      show('flood', [`line ${at}`]);
      if (at === 1_000) show('asks', asking);
    }
    const verdict = told.find(({ session, verdict: { kind } }) => session === 'asks' && kind === 'blocked');
    expect((verdict?.at ?? Infinity) - 1_000).toBeLessThanOrEqual(80 + 150 + 250);
  });

  test('tells each block once, and its end when the screen works again', () => {
    const { clock, monitor, told, show } = rig();
    monitor.add('one');
    show('one', asking);
    clock.advanceTo(1_000);
    for (let at = 1_000; at < 5_000; at += 100) {
      clock.advanceTo(at);
      show('one', [...asking.slice(0, 4), `Esc to cancel · ${at % 7}s`]);
    }
    show('one', ['✻ Thinking… (3s · esc to interrupt)']);
    clock.advanceTo(6_000);
    expect(told.map(({ verdict }) => verdict.kind)).toEqual(['blocked', 'working']);
  });

  test('asks the kernel only about a quiet screen that rules do not know, and forgets an answer that comes too late', async () => {
    let asked = 0;
    const { clock, monitor, told, show } = rig(() => {
      asked += 1;
      return Promise.resolve({ foreground: 'reading', program: 'cat', cpuTicks: 0, echo: true, canonical: true });
    });
    monitor.add('one');
    show('one', asking);
    clock.advanceTo(10_000);
    expect(asked).toBe(0);
    show('one', ['some text']);
    clock.advanceTo(13_000);
    await Promise.resolve();
    expect(asked).toBe(1);
    await Promise.resolve();
    clock.advanceTo(13_500);
    await Promise.resolve();
    await Promise.resolve();
    clock.advanceTo(14_000);
    expect(told.at(-1)?.verdict).toMatchObject({ kind: 'blocked', by: 'kernel' });
  });

  test('a session that exited is never spoken of again', () => {
    const { clock, monitor, told, show } = rig();
    monitor.add('one');
    show('one', asking);
    monitor.exited('one');
    clock.advanceTo(10_000);
    expect(told.map(({ verdict }) => verdict.kind)).toEqual(['ended']);
    expect(monitor.verdict('one')).toBeNull();
  });
});
