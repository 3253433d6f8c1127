import type { ModelServer } from '../../domain/fleet/facts.ts';

/** Where a server is asked, and what it is taken for when it answers. */
export interface ModelPlace {
  readonly kind: ModelServer['kind'];
  readonly url: string;
}

/** On this machine only: nobody is asked who was not named. */
export const usualPlaces: readonly ModelPlace[] = [
  { kind: 'ollama', url: 'http://127.0.0.1:11434' },
  { kind: 'lmstudio', url: 'http://127.0.0.1:1234' },
];

/** A server on this machine answers in milliseconds, or is not there. */
const patienceMs = 800;
/** Of all servers together, and letters of a name: a heartbeat has 40 KiB. */
const mostModels = 150;
const mostLetters = 100;

/** Model servers that answer, each with its models. `urls`: of the config, with or without `/v1` at the end. */
export async function detectModels(
  urls: readonly string[],
  usual: readonly ModelPlace[] = usualPlaces,
): Promise<readonly ModelServer[]> {
  const own = urls.map((url): ModelPlace => ({ kind: 'openai-compatible', url: url.replace(/\/+$/, '') }));
  const places = [...usual.filter(({ url }) => !own.some((place) => place.url === url)), ...own];
  const found = await Promise.all(places.map(askServer));
  let left = mostModels;
  return found
    .filter((server) => server !== null)
    .map((server) => {
      const models = server.models.slice(0, left);
      left -= models.length;
      return { ...server, models };
    });
}

async function askServer(place: ModelPlace): Promise<ModelServer | null> {
  const answer = await getJson(listUrl(place));
  const models = answer === null ? null : modelNames(answer);
  return models === null ? null : { ...place, models };
}

function listUrl({ kind, url }: ModelPlace): string {
  if (kind === 'ollama') return `${url}/api/tags`;
  return url.endsWith('/v1') ? `${url}/models` : `${url}/v1/models`;
}

/** Ollama: `{models: [{name}]}`; the OpenAI protocol: `{data: [{id}]}`. Null for anything else: another program has that port. */
export function modelNames(answer: unknown): string[] | null {
  if (typeof answer !== 'object' || answer === null) return null;
  const { models, data } = answer as { models?: unknown; data?: unknown };
  const list = Array.isArray(models) ? models : Array.isArray(data) ? data : null;
  if (list === null) return null;
  return (list as readonly unknown[]).flatMap((model) => {
    if (typeof model !== 'object' || model === null) return [];
    const { name, id } = model as { name?: unknown; id?: unknown };
    const text = Array.isArray(models) ? name : id;
    return typeof text === 'string' && text !== '' ? [text.slice(0, mostLetters)] : [];
  });
}

async function getJson(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs), redirect: 'error' });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
