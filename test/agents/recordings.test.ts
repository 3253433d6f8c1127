import { describe, expect, it } from 'vitest';
import { readRecordings, screenAt } from './replay.ts';

const recordings = readRecordings();

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
});
