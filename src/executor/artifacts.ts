import { createReadStream, globSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Task } from '../domain/dag.ts';
import type { ArtifactFile } from '../storage/write.ts';

/** More files than this are a mistake in a pattern. */
const maxFiles = 10_000;

/** Returns the files that a task's `outputs` name, each with its size. */
export function findArtifacts(task: Task, attempt: number, cwd: string): ArtifactFile[] {
  const paths = [...new Set(globSync([...task.outputs], { cwd }).map((path) => resolve(cwd, path)))].sort();
  return paths.slice(0, maxFiles).flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() === true ? [{ task: task.id, attempt, path, bytes: stat.size }] : [];
  });
}

/** One file after the other: many at once would only fight for the disk. */
let queue: Promise<unknown> = Promise.resolve();

/** Returns the SHA-256 of a file, read as a stream in its turn; null when it cannot be read. */
export function hashFile(path: string): Promise<string | null> {
  const hashed = queue.then(async () => {
    try {
      const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
      await pipeline(createReadStream(path), hash);
      return hash.digest('hex');
    } catch {
      return null;
    }
  });
  queue = hashed;
  return hashed;
}
