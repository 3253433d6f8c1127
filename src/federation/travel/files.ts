import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { TravelError, TravellingFile, TravellingFiles } from '../../domain/fleet/travel.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { hashFile } from '../../executor/artifacts.ts';
import { mebibytes, sha256Of, type Courier } from './courier.ts';

export interface PackFilesOptions {
  /** What `findArtifacts` found. */
  readonly paths: readonly string[];
  /** The task's directory, to which the names are relative. */
  readonly cwd: string;
  readonly courier: Courier;
  readonly maxTotalBytes?: number;
}

/** All files of one task together: a data set belongs where nodes can reach it, not in a chat's media store. */
const defaultTotalBytes = 256 * 1024 * 1024;

/**
 * Node: hashes and uploads what a task left by its `outputs`. A file that cannot travel is named all the same, and why it stayed:
 * whoever depends on it is told then, and a task nobody depends on is none the worse.
 */
export async function packFiles(options: PackFilesOptions): Promise<readonly TravellingFile[]> {
  const { paths, cwd, courier } = options;
  const files: TravellingFile[] = [];
  let total = 0;
  for (const path of paths) {
    const inside = relative(cwd, path);
    const name = (inside.startsWith('..') || isAbsolute(inside) ? path : inside).toWellFormed();
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const stayed = await whyNot(size, total, options);
    if (stayed !== null) {
      const sha256 = await hashFile(path); // as a stream: it may be larger than memory
      if (sha256 !== null) files.push({ path: name, bytes: size, sha256, stayed });
      continue;
    }
    const bytes = tryRead(path);
    if (bytes === null) continue; // gone since it was found
    total += bytes.length;
    const file = { path: name, bytes: bytes.length, sha256: sha256Of(bytes) };
    const media = await courier.putLarge(bytes, name);
    files.push(media.ok ? { ...file, media: media.value } : { ...file, stayed: media.error.detail });
  }
  return files;
}

async function whyNot(
  size: number,
  total: number,
  { courier, maxTotalBytes = defaultTotalBytes }: PackFilesOptions,
): Promise<string | null> {
  if (total + size > maxTotalBytes) return `the files of a task may have ${mebibytes(maxTotalBytes)} together`;
  const most = await courier.maxBytes();
  return size > most ? `it has ${mebibytes(size)}, and the homeserver takes ${mebibytes(most)} in one file` : null;
}

export interface UnpackFilesOptions {
  /** A directory of ours: copies go to `DIR/TASK#ATTEMPT/…`; those that are there with the right hash are used again. */
  readonly dir: string;
  readonly from: TravellingFiles;
  readonly courier: Courier;
}

/** Node or coordinator, before a task that depends on them: gets local copies and returns their paths, in the order of `files`. */
export async function unpackFiles({
  dir,
  from,
  courier,
}: UnpackFilesOptions): Promise<Result<readonly string[], TravelError>> {
  const root = join(dir, `${from.task}#${from.attempt}`);
  const paths: string[] = [];
  for (const file of from.files) {
    const path = join(root, placeOf(file.path));
    paths.push(path);
    const there = tryRead(path);
    if (there !== null && sha256Of(there) === file.sha256) continue;
    const bytes = await fetchFile(file, courier);
    if (!bytes.ok) return err({ ...bytes.error, detail: `${file.path} of ${from.task}: ${bytes.error.detail}` });
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, bytes.value, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return ok(paths);
}

async function fetchFile(file: TravellingFile, courier: Courier): Promise<Result<Uint8Array, TravelError>> {
  if (file.media === undefined) return err({ kind: 'missing', detail: file.stayed ?? 'it stayed where it was made' });
  if (file.media.sha256 !== file.sha256) return err({ kind: 'damaged', detail: 'its hash is not that of its upload' });
  return courier.getLarge(file.media);
}

/**
 * Where a file from another machine goes below our directory. A name that would lead out of it, or that means something to the
 * system, is replaced by its hash and its last part: two such files do not meet.
 */
export function placeOf(path: string): string {
  const parts = path.split(/[/\\]/);
  const isPlain =
    path !== '' &&
    !isAbsolute(path) &&
    !path.includes('\0') &&
    Buffer.byteLength(path) < 1024 &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) < 200);
  if (isPlain) return parts.join(sep);
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 16);
  const last = (parts.at(-1) ?? '').replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(-100);
  return join('.outside', `${hash}-${last === '' || last.startsWith('.') ? 'file' : last}`);
}

function tryRead(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}
