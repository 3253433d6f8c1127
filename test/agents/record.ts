import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openModelEndpoint } from '../support/model-endpoint.ts';
import { openTerminal } from '../support/terminal.ts';
import { agentEnv, binOf, install, prepareHome, programNamed } from './programs.ts';
import { playSteps, savePoints } from './recorder.ts';
import { recordings, type Recording } from './recordings.ts';
import { sealing, start } from './sealed.ts';

// Usage: node test/agents/record.ts [NAME-PREFIX…]
// Records sessions of the real programs into test/screens/agents/, each in a world without network but its own loopback.

const screens = join(import.meta.dirname, '..', 'screens', 'agents');

async function record(recording: Recording): Promise<void> {
  const { name, agent, cols, rows, args, turns, steps } = recording;
  const home = '/home/dev';
  const cwd = join(home, 'project');
  for (const dir of [
    '.claude',
    '.claude.json',
    '.codex',
    '.config',
    '.local',
    '.cache',
    '.qwen',
    '.gemini',
    '.kimi-code',
    'project',
  ]) {
    rmSync(join(home, dir), { recursive: true, force: true });
  }
  mkdirSync(cwd, { recursive: true });
  if (recording.git === true) execFileSync('git', ['init', '-q', cwd]);
  await using endpoint = await openModelEndpoint([{ when: '', turns }]);
  prepareHome(home, endpoint.url);
  if (recording.trusted === true) trust(home, cwd);
  const program = programNamed(agent);
  const path = `${binOf(program)}:${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`;
  const env = { ...agentEnv(home, endpoint.url, path), ...recording.env };
  if (env['NO_QWEN_SETTINGS'] !== undefined) rmSync(join(home, '.qwen'), { recursive: true });
  for (const [key, value] of Object.entries(env)) if (value === '') delete env[key];
  using terminal = openTerminal({ file: agent, args, cwd, env, cols, rows });
  try {
    const points = await playSteps(terminal, steps);
    terminal.saveCast(join(screens, `${name}.cast`), name);
    savePoints(screens, name, { agent, version: program.version, cols, rows, points });
    console.log(`ok   ${name} ${points.map((p) => p.kind ?? p.state).join(' ')}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${(error as Error).message}`);
    for (const request of endpoint.requests)
      console.log('     ', request.method, request.url, request.prompt.slice(0, 60));
  }
}

/** As if the folder's trust question had been answered in an earlier session. */
function trust(home: string, cwd: string): void {
  const claude = join(home, '.claude.json');
  const json = JSON.parse(execFileSync('cat', [claude], { encoding: 'utf8' })) as Record<string, unknown>;
  writeFileSync(claude, JSON.stringify({ ...json, projects: { [cwd]: { hasTrustDialogAccepted: true } } }));
  writeFileSync(join(home, '.codex', 'config.toml'), `\n[projects."${cwd}"]\ntrust_level = "trusted"\n`, { flag: 'a' });
}

if (process.env['CIS_SEALED'] === undefined) {
  for (const agent of new Set(recordings.map((recording) => recording.agent))) install(programNamed(agent));
  process.exitCode = await start(sealing([process.execPath, import.meta.filename, ...process.argv.slice(2)], null));
} else {
  const prefixes = process.argv.slice(2);
  mkdirSync(screens, { recursive: true });
  for (const recording of recordings) {
    if (prefixes.length === 0 || prefixes.some((prefix) => recording.name.startsWith(prefix))) await record(recording);
  }
  process.exit();
}
