import type { Home } from '../../config/home.ts';
import type { Layer, TravelError, WorkspaceSource } from '../../domain/fleet/travel.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Repository, Workspace } from '../../domain/workspace.ts';
import { inRepository, isAncestor } from '../../worktree/tree.ts';
import { inTurn, sendBundle } from './bundle.ts';
import type { Courier } from './courier.ts';
import { addLayer, chainOf, isShort, readLayers } from './layers.ts';
import { repositoryId } from './paths.ts';
import { findPublished } from './published.ts';

export interface PackOptions {
  readonly home: Home;
  readonly workspace: Workspace;
  readonly courier: Courier;
}

/**
 * Coordinator: makes a prepared worktree ready to travel. `workspaces.prepare` has merged the dependencies, with conflicts as
 * blocks, as for a task that runs here; what travels is the commit that came out. Of a repository that was sent before, only what
 * is new is uploaded.
 */
export async function packWorkspace({
  home,
  workspace,
  courier,
}: PackOptions): Promise<Result<WorkspaceSource, TravelError>> {
  const { repository, start } = workspace;
  if (start === null) return err({ kind: 'refused', detail: `the worktree ${workspace.path} is not ready` });
  const shallow = await inRepository(repository, ['rev-parse', '--is-shallow-repository']);
  if (shallow.ok && shallow.value.trim() === 'true') {
    const detail = `${repository.root} is a shallow clone, which cannot travel: git fetch --unshallow`;
    return err({ kind: 'refused', detail });
  }
  return inTurn(repository.gitDir, async () => {
    const id = repositoryId(repository.gitDir);
    const common = { repository: id, prefix: repository.prefix, start };
    const base = await layersOf({ home, repository, courier }, repository.base);
    if (base.ok) {
      const layers = await layersOf({ home, repository, courier }, start);
      return layers.ok ? ok({ ...common, layers: layers.value }) : layers;
    }
    if (base.error.kind !== 'too-large') return base;
    const published = await findPublished(repository);
    if (published === null) {
      const hint = `push ${repository.base.slice(0, 12)} to a remote that the nodes reach, or raise max_upload_size there`;
      return err({ kind: 'too-large', detail: `${base.error.detail}: ${hint}` });
    }
    const { url, commit } = published;
    if (commit === start) return ok({ ...common, url, published: commit, layers: [] });
    const step = await newLayer({ home, repository, courier }, start, [commit]);
    return step.ok ? ok({ ...common, url, published: commit, layers: [step.value] }) : step;
  });
}

interface Shelf {
  readonly home: Home;
  readonly repository: Repository;
  readonly courier: Courier;
}

/** The layers that give a commit; the last one is made when it was never sent. */
async function layersOf(shelf: Shelf, commit: string): Promise<Result<Layer[], TravelError>> {
  const { home, repository, courier } = shelf;
  const known = readLayers(home, repositoryId(repository.gitDir), courier.store);
  const whole = chainOf(known, commit);
  if (whole !== null) return ok(whole);
  for (const { commit: older } of known.toReversed()) {
    const chain = chainOf(known, older);
    if (chain === null || !isShort(chain) || !(await isAncestor(repository, older, commit))) continue;
    const step = await newLayer(shelf, commit, [older]);
    return step.ok ? ok([...chain, step.value]) : step;
  }
  const first = await newLayer(shelf, commit, []);
  return first.ok ? ok([first.value]) : first;
}

async function newLayer(
  { home, repository, courier }: Shelf,
  commit: string,
  requires: readonly string[],
): Promise<Result<Layer, TravelError>> {
  const name = commit.slice(0, 12);
  const since = requires.map((one) => one.slice(0, 12)).join(' ');
  const what = since === '' ? `the history of ${name}` : `what ${name} has since ${since}`;
  const ref = `refs/cis/travel/${commit}`;
  const bundle = await sendBundle({ repository, commit, ref, without: requires, what, courier });
  if (!bundle.ok) return bundle;
  const layer: Layer = { commit, requires, bundle: bundle.value };
  addLayer(home, repositoryId(repository.gitDir), courier.store, layer);
  return ok(layer);
}
