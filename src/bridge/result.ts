import type { RunPicture } from '../domain/picture.ts';
import { describeFailure } from '../domain/words.ts';
import { titleOf } from './card.ts';
import type { Message } from './message.ts';
import { pill } from './question.ts';
import { escapeHtml, oneLine } from './text.ts';

/** Of many failures, so many are named. */
const mostNamed = 5;

/** The end of a run for people who asked to be told: how it ended, and what failed. */
export function renderResult(
  picture: RunPicture,
  mentions: readonly string[],
  mask: (text: string) => string,
): Message {
  const title = titleOf(picture);
  const lines = failuresOf(picture, mask);
  const run = `run ${picture.run}`;
  return {
    body: [...(mentions.length === 0 ? [] : [mentions.join(' ')]), title, ...lines, run].join('\n'),
    html: [
      `${mentions.map(pill).join(' ')} <b>${escapeHtml(title)}</b>`.trim(),
      ...lines.map(escapeHtml),
      `run <code>${escapeHtml(picture.run)}</code>`,
    ].join('<br>'),
  };
}

function failuresOf({ byKind, tasks, reason }: RunPicture, mask: (text: string) => string): string[] {
  const failed = [...(byKind.get('failed') ?? [])].flatMap((id) => tasks.get(id) ?? []);
  const named = failed.slice(0, mostNamed).map(({ task, detail }) => {
    const why = detail.kind === 'failure' ? `: ${oneLine(mask(describeFailure(detail.failure)))}` : '';
    return `❌ ${task}${why}`;
  });
  const more = failed.length - named.length;
  return [
    ...(reason === null || failed.length > 0 ? [] : [oneLine(mask(reason))]),
    ...named,
    ...(more > 0 ? [`… and ${more} more`] : []),
  ];
}
