import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LargeRef, TravelError } from '../../domain/fleet/travel.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import type { Repository } from '../../domain/workspace.ts';
import { openQueue } from '../../worktree/queue.ts';
import { commitOf, inRepository } from '../../worktree/tree.ts';
import { mebibytes, type Courier } from './courier.ts';

type Place = Pick<Repository, 'gitDir'>;

/** One at a time per repository: git's locks are per repository, and what one has uploaded the next need not upload again. */
export const inTurn = openQueue();

export interface BundleRequest {
  readonly repository: Place;
  readonly commit: string;
  /** The name that the bundle gives the commit: a bundle is of refs. */
  readonly ref: string;
  /** Commits that the other side has. */
  readonly without: readonly string[];
  /** How the bundle is called in words for a person. */
  readonly what: string;
  readonly courier: Courier;
}

/** Makes a bundle of what leads to a commit and uploads it. */
export async function sendBundle(request: BundleRequest): Promise<Result<LargeRef, TravelError>> {
  const { repository, commit, ref, without, what, courier } = request;
  using dir = scratchDir();
  const file = join(dir.path, 'bundle');
  const before = await inRepository(repository, ['rev-parse', '--verify', '--quiet', ref]);
  const isOurs = !before.ok || before.value.trim() !== commit;
  if (isOurs) {
    const named = await inRepository(repository, ['update-ref', ref, commit]);
    if (!named.ok) return err({ kind: 'refused', detail: `git cannot name ${commit}: ${named.error.said}` });
  }
  const made = await inRepository(repository, [
    'bundle',
    'create',
    '--quiet',
    file,
    ref,
    ...without.map((one) => `^${one}`),
  ]);
  if (isOurs && !ref.startsWith('refs/heads/')) await inRepository(repository, ['update-ref', '-d', ref]);
  if (!made.ok) return err({ kind: 'refused', detail: `git cannot pack ${what}: ${made.error.said}` });
  const { size } = statSync(file);
  const most = await courier.maxBytes();
  if (size > most) {
    const detail = `${what} is ${mebibytes(size)} as a bundle, and the homeserver takes ${mebibytes(most)} in one file`;
    return err({ kind: 'too-large', detail });
  }
  return await courier.putLarge(readFileSync(file), what);
}

export interface TakeRequest {
  readonly repository: Place;
  readonly bundle: LargeRef;
  /** All that the bundle may have: one ref, at this commit. */
  readonly ref: string | null;
  readonly commit: string;
  /** The ref that keeps it. */
  readonly into: string;
  readonly what: string;
  readonly courier: Courier;
  readonly maxBytes?: number;
}

/**
 * Downloads a bundle and takes its commit over. It comes from another machine: it must be the file that was announced, have the one
 * ref and commit that were announced, every object must pass git's own checks, and nothing of it is checked out before that.
 */
export async function takeBundle(request: TakeRequest): Promise<Result<null, TravelError>> {
  const { repository, bundle, ref, commit, into, what, courier, maxBytes } = request;
  const bytes = await courier.getLarge(bundle, maxBytes);
  if (!bytes.ok) return bytes;
  const header = readHeader(bytes.value);
  if (header === null) return err(damaged(what, 'it is no bundle'));
  const { heads, requires, packAt } = header;
  const [only, ...more] = heads;
  if (only === undefined || more.length > 0 || only.commit !== commit || (ref !== null && only.ref !== ref)) {
    const said = heads.slice(0, 3).map((one) => `${one.commit} ${one.ref}`);
    return err(damaged(what, `it has ${said.join(', ') || 'nothing'} in it`));
  }
  for (const one of requires) {
    if ((await commitOf(repository, one)) === null) {
      return err({ kind: 'missing', detail: `${what} builds on the commit ${one.slice(0, 12)}, which is not here` });
    }
  }
  const pack = bytes.value.subarray(packAt);
  const index = ['index-pack', '--stdin', '--fix-thin', `--strict=${harmless.join(',')}`];
  const taken = await inRepository(repository, index, { stdin: pack });
  if (!taken.ok) return err(damaged(what, taken.error.said));
  const whole = await inRepository(repository, ['rev-list', '--objects', '--quiet', commit, '--not', '--all']);
  if (!whole.ok) return err(damaged(what, whole.error.said));
  const named = await inRepository(repository, ['update-ref', into, commit]);
  return named.ok ? ok(null) : err(damaged(what, named.error.said));
}

interface BundleHeader {
  readonly heads: readonly { readonly commit: string; readonly ref: string }[];
  readonly requires: readonly string[];
  readonly packAt: number;
}

/**
 * Reads what stands before the pack. We take bundles apart ourselves, because git before 2.46 takes their objects over unchecked,
 * whatever its settings say.
 */
export function readHeader(bytes: Uint8Array): BundleHeader | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf('\n\n');
  if (end === -1 || end > maxHeaderBytes) return null;
  const [first = '', ...lines] = buffer.toString('utf8', 0, end).split('\n');
  if (!/^# v[23] git bundle$/.test(first)) return null;
  const heads: { commit: string; ref: string }[] = [];
  const requires: string[] = [];
  for (const line of lines) {
    if (line === '@object-format=sha1' || line === '@object-format=sha256') continue;
    const match = /^(?<minus>-?)(?<commit>[0-9a-f]{40}|[0-9a-f]{64})(?: (?<ref>.*))?$/.exec(line)?.groups;
    if (match === undefined) return null; // a filter too: what it left out would be missing
    const { minus, commit = '', ref = '' } = match;
    if (minus === '-') requires.push(commit);
    else heads.push({ commit, ref });
  }
  return { heads, requires, packAt: end + 2 };
}

const maxHeaderBytes = 1024 * 1024;

/** Old repositories have these flaws, and they do no harm; everything else that git's checks find is refused. */
const harmless = [
  'zeroPaddedFilemode=ignore',
  'missingSpaceBeforeDate=ignore',
  'badTimezone=ignore',
  'badDateOverflow=ignore',
];

function damaged(what: string, said: string): TravelError {
  return { kind: 'damaged', detail: `${what} cannot be taken over: ${said}` };
}

function scratchDir(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'cis-travel-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
