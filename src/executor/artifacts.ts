import { closeSync, globSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Task } from '../domain/dag.ts';
import type { NewArtifact } from '../storage/write.ts';

/** More files than this are a mistake in a pattern. */
const maxFiles = 10_000;

/** Returns the files that a task's `outputs` name, each with its size and SHA-256. */
export function collectArtifacts(task: Task, attempt: number, cwd: string): NewArtifact[] {
  if (task.outputs.length === 0) return [];
  const paths = [...new Set(globSync([...task.outputs], { cwd }).map((path) => resolve(cwd, path)))].sort();
  return paths.slice(0, maxFiles).flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile()) return [];
    const sha256 = hashFile(path, stat.size);
    return sha256 === null ? [] : [{ task: task.id, attempt, path, bytes: stat.size, sha256 }];
  });
}

function hashFile(path: string, size: number): string | null {
  try {
    const fd = openSync(path, 'r');
    try {
      const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
      const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(size, 1024 * 1024)));
      for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) hash.update(chunk.subarray(0, read));
      return hash.digest('hex');
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}
