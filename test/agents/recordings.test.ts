import { describe, expect, it } from 'vitest';
import { planKeys } from '../../src/agents/plan-keys.ts';
import { findProfile } from '../../src/agents/profiles.ts';
import type { Block } from '../../src/domain/block.ts';
import type { BlockId } from '../../src/domain/ids.ts';
import { readMenu } from './answering.ts';
import { readRecordings, screenAt, type Recorded } from './replay.ts';
import type { Point } from './recorder.ts';

const recordings = readRecordings();

/** Menus whose rows can be read from the text alone: opencode's are colours, Kimi's have a line of explanation each. */
function menuPoints({ agent, points }: Recorded): readonly Point[] {
  return agent === 'opencode' || agent === 'kimi'
    ? []
    : points.filter(({ kind, selected }) => (kind === 'approval' || kind === 'trust') && selected !== undefined);
}

describe('recordings of the real programs', () => {
  it('are there for each of them', () => {
    const agents = new Set(recordings.map(({ agent }) => agent));
    expect([...agents].sort()).toEqual(['claude', 'codex', 'gemini', 'kimi', 'opencode', 'qwen']);
  });

  it.each(recordings)('$name shows what its points say, and nothing of the machine it was made on', (recording) => {
    expect(recording.points.length).toBeGreaterThan(0);
    expect(recording.cast).not.toMatch(/\/root\b|\/work\b/);
    for (const point of recording.points) {
      const screen = screenAt(recording, (point.fromMs + point.toMs) / 2).join('\n');
      expect(screen.trim()).not.toBe('');
      for (const choice of point.choices ?? []) expect(screen).toContain(choice);
      if (point.command !== undefined)
        expect(screen.replace(/[\s│┃]+/g, '')).toContain(point.command.replace(/\s+/g, ''));
    }
  });

  it.each(recordings.filter((recording) => menuPoints(recording).length > 0))(
    '$name: its menus are answered from the row that is selected',
    (recording) => {
      const profile = findProfile(recording.agent, {});
      if (!profile.ok) throw new Error(profile.error);
      for (const point of menuPoints(recording)) {
        const menu = readMenu(screenAt(recording, point.toMs));
        expect(menu).toMatchObject({ selected: point.selected });
        const choices = menu?.choices ?? [];
        expect(choices.length).toBeGreaterThan(1);
        const block = { ...blank, choices, selected: menu?.selected ?? null };
        for (const index of choices.keys()) {
          const planned = planKeys(profile.value.answering, block, { kind: 'choose', index });
          expect(planned).toMatchObject({ ok: true, value: { length: Math.abs(index - (point.selected ?? 0)) + 1 } });
        }
      }
    },
  );
});

const blank: Block = {
  id: 'r:t!1' as BlockId,
  kind: 'approval',
  question: '',
  choices: [],
  selected: null,
  since: 0,
  fingerprint: '',
  rule: 'test',
};
