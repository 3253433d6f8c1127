import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Home } from '../../config/home.ts';
import type { Layer } from '../../domain/fleet/travel.ts';
import { layersPath } from './paths.ts';

/**
 * What of a repository lies in a media store: a later run uploads only what came since, and nodes download only what they lack.
 * Losing the file costs an upload and nothing else.
 */
export interface LayerBook {
  readonly store: string;
  readonly layers: readonly ShelvedLayer[];
}

interface ShelvedLayer extends Layer {
  /** When it was uploaded. Homeservers may drop old files: then it is uploaded again in time. */
  readonly at: number;
}

const keepMs = 7 * 24 * 3600_000;

/** More steps than this cost more requests than one larger file. */
const mostSteps = 8;
const mostLayers = 256;

export function readLayers(home: Home, repository: string, store: string, now = Date.now()): readonly Layer[] {
  return readShelf(home, repository, store, now).map(({ commit, requires, bundle }) => ({ commit, requires, bundle }));
}

function readShelf(home: Home, repository: string, store: string, now: number): readonly ShelvedLayer[] {
  try {
    const book = JSON.parse(readFileSync(layersPath(home, repository), 'utf8')) as LayerBook;
    return book.store === store ? book.layers.filter(({ at }) => at > now - keepMs && at <= now) : [];
  } catch {
    return []; // none yet, or damaged
  }
}

/** Adds a layer; of very many the oldest are forgotten. */
export function addLayer(home: Home, repository: string, store: string, layer: Layer, now = Date.now()): void {
  const others = readShelf(home, repository, store, now).filter((one) => one.commit !== layer.commit);
  const layers = [...others, { ...layer, at: now }].slice(-mostLayers);
  const path = layersPath(home, repository);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, JSON.stringify({ store, layers } satisfies LayerBook), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The layers that give a commit, oldest first; null when a part of them is not known, or they are too many steps. */
export function chainOf(layers: readonly Layer[], commit: string, most: number = mostSteps): Layer[] | null {
  const byCommit = new Map(layers.map((layer) => [layer.commit, layer]));
  const chain: Layer[] = [];
  let wanted: string | undefined = commit;
  while (wanted !== undefined) {
    const layer = byCommit.get(wanted);
    if (layer === undefined || chain.length === most) return null;
    chain.unshift(layer);
    if (layer.requires.length > 1) return null;
    [wanted] = layer.requires;
  }
  return chain;
}

/** Whether one more step may be put on a chain. */
export function isShort(chain: readonly Layer[]): boolean {
  return chain.length < mostSteps;
}
