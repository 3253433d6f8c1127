/** A value that must not be shown, and the environment variable it came from, which may. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

export const defaultRedactPatterns: readonly string[] = ['*KEY*', '*TOKEN*', '*SECRET*', '*PASSW*'];

/** Shorter values are words such as `true` or `dev`: masking them would garble everything and hide nothing. */
const leastSecretLength = 8;

/** Masks a text that comes in pieces; a secret may begin in one and end in another. */
export interface ChunkRedactor {
  /** Gives what is safe to show; the beginning of what may become a secret is held back. */
  push(chunk: string): string;
  /** Gives the rest. */
  end(): string;
}

export interface Redactor {
  mask(text: string): string;
  openChunks(): ChunkRedactor;
}

/**
 * Finds the secrets of an environment: values of 8 characters or more of variables whose names match a pattern (`*` stands
 * for anything, case does not matter). Of a value of several lines, such as a private key, each long line is a secret too.
 */
export function findSecrets(env: Readonly<Record<string, string | undefined>>, patterns: readonly string[]): Secret[] {
  const wanted = patterns.map(toRegExp);
  return Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && wanted.some((pattern) => pattern.test(name)) ? secretsOf(name, value) : [],
  );
}

/** Says whether a variable of this name holds a secret, by the patterns. */
export function matchesRedact(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => toRegExp(pattern).test(name));
}

/** What a run was given beside the environment: `env` of its file and of its tasks, and the values of its variables. */
export interface GivenValues {
  readonly dag: {
    readonly env: Readonly<Record<string, string>>;
    readonly vars?: Readonly<Record<string, string>>;
    readonly tasks: readonly { readonly env: Readonly<Record<string, string>> }[];
  };
  readonly vars: Readonly<Record<string, string>>;
}

/** Finds the secrets that a run was given, by the names of the variables as in the environment. */
export function findGivenSecrets({ dag, vars }: GivenValues, patterns: readonly string[]): Secret[] {
  const tables = [dag.env, dag.vars ?? {}, vars, ...dag.tasks.map(({ env }) => env)];
  const found = tables.flatMap((table) => findSecrets(table, patterns));
  return [...new Map(found.map((secret) => [secret.value, secret])).values()];
}

/** Opens what masks these secrets. Where two overlap in a text, all that either covers is masked. */
export function openRedactor(secrets: readonly Secret[]): Redactor {
  const known = [...secrets].sort((a, b) => b.value.length - a.value.length);
  if (known.length === 0)
    return { mask: (text) => text, openChunks: () => ({ push: (chunk) => chunk, end: () => '' }) };
  return { mask: (text) => maskSpans(text, findSpans(text, known)), openChunks: () => openChunks(known) };
}

function secretsOf(name: string, value: string): Secret[] {
  const whole = value.trim();
  if (whole.length < leastSecretLength) return [];
  const lines = whole.includes('\n')
    ? whole.split(/\r?\n/).filter((line) => line.length >= 16 && !line.startsWith('---'))
    : [];
  return [whole, ...lines].map((text) => ({ name, value: text }));
}

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`, 'i');
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

function findSpans(text: string, secrets: readonly Secret[]): Span[] {
  const spans: Span[] = [];
  for (const { name, value } of secrets) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
      spans.push({ start: at, end: at + value.length, name });
    }
  }
  return spans.length < 2 ? spans : joinSpans(spans.sort((a, b) => a.start - b.start || b.end - a.end));
}

function joinSpans(sorted: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of sorted) {
    const last = joined.at(-1);
    if (last === undefined || span.start >= last.end) joined.push(span);
    else if (span.end > last.end) joined[joined.length - 1] = { ...last, end: span.end };
  }
  return joined;
}

function maskSpans(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let masked = '';
  let at = 0;
  for (const span of spans) {
    masked += `${text.slice(at, span.start)}[${span.name} redacted]`;
    at = span.end;
  }
  return masked + text.slice(at);
}

function openChunks(secrets: readonly Secret[]): ChunkRedactor {
  let held = '';
  return {
    push: (chunk) => {
      const text = held + chunk;
      const spans = findSpans(text, secrets);
      const open = openEnd(text, secrets);
      const cut = spans.find((span) => span.start < open && open < span.end)?.start ?? open;
      held = text.slice(cut);
      return maskSpans(
        text.slice(0, cut),
        spans.filter((span) => span.end <= cut),
      );
    },
    end: () => {
      const rest = maskSpans(held, findSpans(held, secrets));
      held = '';
      return rest;
    },
  };
}

/** Where the end of a text begins that could be the beginning of a secret; its length when there is none. */
function openEnd(text: string, secrets: readonly Secret[]): number {
  const longest = secrets[0]?.value.length ?? 0;
  for (let at = Math.max(0, text.length - longest + 1); at < text.length; at++) {
    const end = text.slice(at);
    if (secrets.some(({ value }) => value.length > end.length && value.startsWith(end))) return at;
  }
  return text.length;
}
