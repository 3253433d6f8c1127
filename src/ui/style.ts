import type { TaskStateKind } from '../domain/task.ts';

export type Tone = 'plain' | 'dim' | 'bold' | 'good' | 'bad' | 'ask' | 'busy';

/** How things look: colours and signs, as the terminal and its user want them. */
export interface Look {
  paint(text: string, tone: Tone): string;
  readonly signs: Readonly<Record<TaskStateKind, string>>;
  readonly bar: { readonly full: string; readonly empty: string };
  readonly ellipsis: string;
  readonly dot: string;
  /** Marks the line that keys are for. */
  readonly pointer: string;
}

const codes: Readonly<Record<Tone, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  good: '32',
  bad: '31',
  ask: '33',
  busy: '36',
};

const pretty: Look['signs'] = {
  pending: '·',
  gated: '◆',
  ready: '○',
  starting: '●',
  running: '●',
  blocked: '✋',
  'waiting-retry': '↻',
  lost: '?',
  undecided: '?',
  completed: '✓',
  failed: '✗',
  skipped: '-',
  cancelled: '-',
};

const ascii: Look['signs'] = {
  ...pretty,
  pending: '.',
  gated: '?',
  ready: 'o',
  starting: '*',
  running: '*',
  blocked: '!',
  'waiting-retry': '~',
  completed: '+',
  failed: 'x',
};

export const toneOf: Readonly<Record<TaskStateKind, Tone>> = {
  pending: 'dim',
  gated: 'ask',
  ready: 'plain',
  starting: 'busy',
  running: 'busy',
  blocked: 'ask',
  'waiting-retry': 'ask',
  lost: 'bad',
  undecided: 'ask',
  completed: 'good',
  failed: 'bad',
  skipped: 'dim',
  cancelled: 'dim',
};

export function openLook(options: { readonly colour: boolean; readonly unicode: boolean }): Look {
  return {
    paint: (text, tone) =>
      options.colour && codes[tone] !== '' && text !== '' ? `\u001B[${codes[tone]}m${text}\u001B[0m` : text,
    signs: options.unicode ? pretty : ascii,
    bar: options.unicode ? { full: '━', empty: '─' } : { full: '#', empty: '-' },
    ellipsis: options.unicode ? '…' : '...',
    dot: options.unicode ? ' · ' : ', ',
    pointer: options.unicode ? '›' : '>',
  };
}

type Env = Readonly<Record<string, string | undefined>>;

/** Colours on a terminal unless `NO_COLOR` (no-color.org) or `TERM=dumb` says otherwise; `FORCE_COLOR` beats both. */
export function lookFor(stream: { readonly isTTY?: boolean }, env: Env): Look {
  const forced = env['FORCE_COLOR'];
  const wanted = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return openLook({ colour: forced === undefined || forced === '' ? wanted : forced !== '0', unicode: isUnicode(env) });
}

/** Only a locale that was set to something else, or the console of Linux, is taken to show no Unicode. */
function isUnicode(env: Env): boolean {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'];
  return env['TERM'] !== 'linux' && (locale === undefined || locale === '' || /utf-?8/i.test(locale));
}
