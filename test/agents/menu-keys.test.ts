import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planKeys } from '../../src/agents/plan-keys.ts';
import { findProfile } from '../../src/agents/profiles.ts';
import type { BlockId } from '../../src/domain/ids.ts';
import type { BlockedJudgement } from '../../src/monitor/judge.ts';
import { judgePoints, loadRecordings } from '../screens/corpus.ts';

const golden = readFileSync(join(import.meta.dirname, 'menu-keys.golden.txt'), 'utf8');
const names: Readonly<Record<string, string>> = {
  '\r': '⏎',
  '\u001b[A': '↑',
  '\u001b[B': '↓',
  '\u001b[C': '→',
  '\u001b[D': '←',
};

interface Asked {
  readonly name: string;
  readonly agent: string;
  readonly judged: BlockedJudgement;
  readonly choices: readonly string[] | undefined;
}

/** Every menu that a real program showed in a recording, as the monitor reads it. */
const menus = loadRecordings()
  .filter(({ name }) => name.startsWith('agents/'))
  .flatMap((recording) =>
    judgePoints(recording).flatMap(({ point, judgement }): Asked[] => {
      if (judgement.state !== 'blocked' || judgement.choices.length === 0) return [];
      const name = `${recording.name.slice('agents/'.length)} at ${point.fromMs} ms`;
      return [{ name, agent: recording.agent, judged: judgement, choices: point.choices }];
    }),
  );

/** The keys that an answer presses, one after the other. */
function keysOf({ agent, judged }: Asked, index: number): string[] {
  const profile = findProfile(agent, {});
  if (!profile.ok) throw new Error(profile.error);
  const axis = judged.input === 'buttons' ? 'horizontal' : 'vertical';
  const answering = { ...profile.value.answering, axis, showsSelection: true } as const;
  const block = { ...judged, id: 'r:t!1' as BlockId, since: 0 };
  const planned = planKeys(answering, block, { kind: 'choose', index });
  if (!planned.ok) throw new Error(planned.error);
  return planned.value.map(({ keys }) => keys);
}

describe('the menus of the recorded programs', () => {
  it('are read with the choices that the recording names', () => {
    expect(menus.length).toBeGreaterThan(30);
    for (const { name, judged, choices } of menus) {
      if (choices === undefined) continue;
      expect(judged.choices.length, name).toBe(choices.length);
      for (const [index, label] of choices.entries()) expect(judged.choices[index]?.label, name).toContain(label);
    }
  });

  it('are walked from the preselected choice to the wanted one, and confirmed once', () => {
    for (const menu of menus) {
      for (const index of menu.judged.choices.keys()) {
        let at = menu.judged.selected ?? -1;
        const keys = keysOf(menu, index);
        expect(keys.pop(), menu.name).toBe('\r');
        for (const key of keys) at += key === '\u001b[B' || key === '\u001b[C' ? 1 : -1;
        expect(at, `${menu.name}, ${index}`).toBe(index);
        expect(keys).not.toContain('\r');
      }
    }
  });

  it('get the keys that a person looked over (menu-keys.golden.txt)', () => {
    const rows = menus.map((menu) => {
      const answers = menu.judged.choices.map(
        ({ label }, index) =>
          `  ${keysOf(menu, index)
            .map((key) => names[key] ?? JSON.stringify(key))
            .join(' ')}  ${label}`,
      );
      return [menu.name, ...answers].join('\n');
    });
    expect(`${rows.join('\n')}\n`).toBe(golden);
  });
});
