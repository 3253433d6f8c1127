import type { FinalMessage } from './profile.ts';

/** What can be known of a session when its final message is asked for. */
export interface MessageSources {
  /** From the last `turn-done` of its hook. */
  readonly hook: string | null;
  /** The content of the plan's `outputFile`. */
  readonly file: string | null;
  /** What the program wrote, as it came. */
  readonly output: () => string;
}

/** Returns the agent's final message as its program gives it; null when it gives none, and the rendered screen must do. */
export function readFinalMessage(how: FinalMessage, sources: MessageSources): string | null {
  switch (how.kind) {
    case 'hook':
      return filled(sources.hook);
    case 'file':
      return filled(sources.file) ?? filled(sources.hook);
    case 'json':
      return textAt(parseLast(sources.output()), how.path);
    case 'json-lines':
      return lastLine(sources.output(), how.where, how.path);
    case 'screen':
      return null;
  }
}

function filled(text: string | null): string | null {
  return text === null || text.trim() === '' ? null : text;
}

/** Warnings may stand before the value: it is the last line, or everything from the first brace on. */
function parseLast(output: string): unknown {
  const lines = output.trimEnd().split('\n');
  return parseJson(lines.at(-1) ?? '') ?? parseJson(output.slice(Math.max(0, output.indexOf('{'))));
}

function lastLine(output: string, where: string, path: readonly string[]): string | null {
  for (const line of output.split('\n').toReversed()) {
    const value = parseJson(line);
    if (typeof value === 'object' && value !== null && (value as { type?: unknown }).type === where)
      return textAt(value, path);
  }
  return null;
}

function textAt(value: unknown, path: readonly string[]): string | null {
  let at: unknown = value;
  for (const key of path) at = typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined;
  return typeof at === 'string' ? at : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
