import type { Level } from '../domain/dag.ts';
import type { TaskDraft } from './keys.ts';
import type { Say } from './problem.ts';
import { placeOf } from './types.ts';

export interface LevelWithRetry {
  readonly level: Level;
  readonly retry?: number;
}

const WORDS = ['Mechanical', 'Recommended', 'Confirmed', 'Arbitrated'] as const;
type Word = Level['kind'];

/** A countdown of half a minute, as the project that made the format has it, when none is given. */
const DEFAULT_TIMEOUT_SECS = 30;

/** Reads all spellings of `level`; a key that has no meaning for the level is a mistake. */
export function readLevel(draft: TaskDraft, say: Say): LevelWithRetry {
  const given = draft.level;
  const at = placeOf(draft, 'level');
  const wrong = (message: string, hint?: string): void =>
    say({ message: `\`level\` ${message}`, ...(hint === undefined ? {} : { hint }), at, part: 'value' });
  if (given === undefined) return { level: { kind: 'mechanical' } };
  if (typeof given === 'string') return fromKeys(given as Word, {}, wrong);
  const nested = WORDS.filter((word) => word in given);
  const words: Word[] = [
    ...(given.type === undefined ? [] : [given.type]),
    ...nested.map((word) => word.toLowerCase() as Word),
  ];
  const [word, ...others] = words;
  if (word === undefined || others.length > 0) {
    if (word !== undefined || !('type' in given))
      wrong('needs one `type`', 'mechanical, recommended, confirmed or arbitrated');
    return { level: { kind: 'mechanical' } };
  }
  const inner = nested[0] === undefined ? given : (given[nested[0]] ?? {});
  return fromKeys(word, inner, wrong);
}

interface LevelKeys {
  readonly retry?: number;
  readonly timeout_secs?: number;
  readonly default_action?: 'execute' | 'skip' | 'abort';
  readonly stakeholders?: readonly string[];
}

function fromKeys(word: Word, keys: LevelKeys, wrong: (message: string, hint?: string) => void): LevelWithRetry {
  const retry = keys.retry === undefined ? {} : { retry: keys.retry };
  const foreign = (['timeout_secs', 'default_action', 'stakeholders'] as const).filter(
    (key) => key in keys && word !== (key === 'stakeholders' ? 'arbitrated' : 'recommended'),
  );
  for (const key of foreign) {
    wrong(
      `${word} has no \`${key}\``,
      `\`${key}\` belongs to ${key === 'stakeholders' ? 'arbitrated' : 'recommended'}`,
    );
  }
  switch (word) {
    case 'mechanical':
    case 'confirmed':
      return { level: { kind: word }, ...retry };
    case 'recommended': {
      const timeoutMs = Math.round((keys.timeout_secs ?? DEFAULT_TIMEOUT_SECS) * 1000);
      return { level: { kind: word, timeoutMs, defaultAction: keys.default_action ?? 'execute' }, ...retry };
    }
    case 'arbitrated': {
      const stakeholders = [...new Set(keys.stakeholders)];
      if (stakeholders.length === 0)
        wrong('arbitrated needs `stakeholders`', 'a list of who votes: stakeholders = ["ada", "grace"]');
      return { level: { kind: word, stakeholders }, ...retry };
    }
  }
}
