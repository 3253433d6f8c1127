import { readFileSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from './home.ts';
import { makePrivateDir } from './private-dir.ts';

/** Whether the user allowed exactly this text of a project's config; a changed file must be allowed anew. */
export function isTrusted(home: Home, path: string, text: string): boolean {
  return readTrust(home)[path] === digest(text);
}

/** Remembers that the user allows this text, or with null that they no longer do. */
export function trust(home: Home, path: string, text: string | null): void {
  const { [path]: _, ...others } = readTrust(home);
  const trusted = text === null ? others : { ...others, [path]: digest(text) };
  makePrivateDir(home.dir);
  const beside = `${trustFile(home)}.${process.pid}`;
  writeFileSync(beside, `${JSON.stringify(trusted, null, 2)}\n`, { mode: 0o600 });
  renameSync(beside, trustFile(home));
}

/** A missing or broken file trusts nothing. */
function readTrust(home: Home): Record<string, string> {
  try {
    const value: unknown = JSON.parse(readFileSync(trustFile(home), 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
  } catch {
    return {};
  }
}

function trustFile(home: Home): string {
  return join(home.dir, 'trusted.json');
}

function digest(text: string): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex');
}
