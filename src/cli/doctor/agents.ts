import { execFile } from 'node:child_process';
import type { Finding } from './examine.ts';

const programs = ['claude', 'codex', 'opencode', 'gemini', 'qwen', 'kimi', 'aider'] as const;
const patienceMs = 10_000;

/** Which agents are installed, with their versions; having none is no fault, since commands need none. */
export async function findAgents(): Promise<Finding[]> {
  const found = (await Promise.all(programs.map(findAgent))).filter((finding) => finding !== null);
  if (found.length > 0) return found;
  return [{ name: 'agents', state: 'note', said: `none found (${programs.join(', ')}): commands run without` }];
}

function findAgent(program: string): Promise<Finding | null> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: patienceMs }, (error, stdout) => {
      const version = stdout.trim().split('\n')[0] ?? '';
      if (error === null) resolve({ name: program, state: 'good', said: version });
      else if (error.code === 'ENOENT') resolve(null);
      else resolve({ name: program, state: 'note', said: 'is there, but does not tell its version' });
    });
  });
}
