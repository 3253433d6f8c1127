import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { hookSocketVariable, hookTokenVariable } from '../../src/domain/hook.ts';
import { hookCommand } from '../../src/agents/hook-command.ts';
import { planAgentStart, type AgentPlan } from '../../src/agents/plan-start.ts';
import { findProfile } from '../../src/agents/profiles.ts';
import { readFinalMessage } from '../../src/agents/final-message.ts';
import type { AgentProfile } from '../../src/agents/profile.ts';
import type { AgentMode } from '../../src/domain/dag.ts';
import type { HookReport } from '../../src/domain/hook.ts';
import { frameJson, openFrameReader } from '../../src/host/frame.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';
import { agentEnv, binOf, prepareHome, programNamed } from './programs.ts';

/** A home and a project of one test, with what a user of the programs would have configured. */
export interface AgentWorld extends Disposable {
  readonly home: string;
  readonly project: string;
  readonly url: string;
}

export function openAgentWorld(url: string): AgentWorld {
  // Not below /tmp: Codex refuses that for its home.
  mkdirSync(worlds, { recursive: true });
  const home = mkdtempSync(join(worlds, 'w-'));
  const project = join(home, 'project');
  mkdirSync(join(project, '.git'), { recursive: true });
  writeFileSync(join(project, '.git', 'HEAD'), 'ref: refs/heads/main\n');
  for (const dir of ['objects', 'refs']) mkdirSync(join(project, '.git', dir));
  prepareHome(home, url);
  return { home, project, url, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }) };
}

const worlds =
  process.env['CIS_SEALED'] === undefined
    ? join(process.env['HOME'] ?? '/tmp', '.cache', 'cis-agent-worlds')
    : '/home/worlds';

interface TimedReport {
  readonly atMs: number;
  readonly report: HookReport;
}

export interface AgentSession extends AsyncDisposable {
  readonly terminal: Terminal;
  readonly plan: AgentPlan;
  readonly profile: AgentProfile;
  readonly reports: readonly TimedReport[];
  /** Resolves with the first report that fits, those of the past included. */
  report(kind: HookReport['kind'], ms?: number): Promise<TimedReport>;
  finalMessage(): string | null;
  /** What the program calls the conversation: known before the start, or from its hooks. */
  conversation(): string;
  /** Ends the program in its own way. */
  close(): Promise<number>;
}

interface SessionOptions {
  readonly world: AgentWorld;
  readonly agent: string;
  readonly mode: AgentMode;
  readonly prompt: string;
  readonly resume?: string;
  readonly model?: string;
  readonly cols?: number;
  readonly rows?: number;
  /** Where the raw payloads of its hooks are kept. */
  readonly payloads?: string;
}

/** Starts a real agent exactly as its plan says, with a socket in the host's place that takes the reports of its hooks. */
export async function openAgentSession(options: SessionOptions): Promise<AgentSession> {
  const { world, agent, mode, prompt } = options;
  const profile = findProfile(agent, {});
  if (!profile.ok) throw new Error(profile.error);
  const sessionDir = mkdtempSync(join(world.home, 's-'));
  const path = `${binOf(programNamed(agent))}:${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`;
  const base = agentEnv(world.home, world.url, path);
  const command = options.payloads === undefined ? hookCommand() : keepPayloads(sessionDir, options.payloads);
  const planned = planAgentStart({
    profile: profile.value,
    mode,
    prompt,
    conversation: randomUUID(),
    sessionDir,
    hookCommand: command,
    env: base,
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    ...(options.model === undefined ? {} : { model: options.model }),
  });
  if (!planned.ok) throw new Error(planned.error);
  const plan = planned.value;
  for (const file of plan.files) writeFileSync(file.path, file.content, { mode: 0o600 });
  const started = Date.now();
  const hooks = await openHookSocket(join(sessionDir, 'h.sock'), started);
  const env = { ...base, ...plan.env, [hookSocketVariable]: hooks.path, [hookTokenVariable]: 'token-of-this-session' };
  const { cols = 100, rows = 30 } = options;
  const terminal = openTerminal({ file: plan.file, args: plan.args, cwd: world.project, env, cols, rows });
  return {
    terminal,
    plan,
    profile: profile.value,
    reports: hooks.reports,
    report: (kind, ms = 60_000) =>
      hooks.until((one) => one.report.kind === kind, ms, `a report ${kind}\n${terminal.text()}`),
    finalMessage() {
      const done = hooks.reports.findLast(({ report }) => report.kind === 'turn-done')?.report;
      const file =
        plan.outputFile !== null && existsSync(plan.outputFile) ? readFileSync(plan.outputFile, 'utf8') : null;
      return readFinalMessage(plan.finalMessage, {
        hook: done?.kind === 'turn-done' ? done.message : null,
        file,
        output: () => terminal.text(),
      });
    },
    conversation() {
      const told = hooks.reports.findLast(({ report }) => 'thread' in report && report.thread !== null)?.report.thread;
      const id = plan.conversation ?? told;
      if (id === undefined || id === null) throw new Error('no hook told the conversation');
      return id;
    },
    async close() {
      for (const step of profile.value.close) {
        terminal.write(step.keys);
        await Promise.race([terminal.exited, pass(step.thenWaitMs)]);
      }
      const end = await Promise.race([terminal.exited, pass(10_000).then(() => null)]);
      if (end === null) throw new Error(`it did not close:\n${terminal.text()}`);
      return end.code;
    },
    async [Symbol.asyncDispose]() {
      terminal[Symbol.dispose]();
      await terminal.exited;
      await hooks.close();
    },
  };
}

interface HookSocket {
  readonly path: string;
  readonly reports: readonly TimedReport[];
  until(look: (report: TimedReport) => boolean, ms: number, what: string): Promise<TimedReport>;
  close(): Promise<void>;
}

async function openHookSocket(path: string, started: number): Promise<HookSocket> {
  const reports: TimedReport[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((socket) => {
    const read = openFrameReader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const frame of read(chunk)) {
        if (frame.kind !== 'json') continue;
        const { id, report } = JSON.parse(frame.text) as { id: number; report: HookReport };
        reports.push({ atMs: Date.now() - started, report });
        socket.write(frameJson({ kind: 'reply', id, ok: true, value: { kind: 'done' } }));
        for (const look of waiting) look();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    reports,
    until: (look, ms, what) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = reports.find(look);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`waited ${ms} ms for ${what}\n${JSON.stringify(reports, null, 1)}`));
        }, ms);
        waiting.add(check);
        check();
      }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A hook that keeps what it is given before it hands it on. */
function keepPayloads(dir: string, payloads: string): readonly string[] {
  const script = join(dir, 'hook.sh');
  const [node = '', main = ''] = hookCommand();
  const body = `#!/bin/sh
if [ $# -ge 2 ]; then printf '%s\\n' "$2" >>'${payloads}'; exec '${node}' '${main}' "$@"; fi
f=$(mktemp); cat >"$f"; cat "$f" >>'${payloads}'; echo >>'${payloads}'; '${node}' '${main}' "$@" <"$f"; rm -f "$f"
`;
  writeFileSync(script, body);
  chmodSync(script, 0o700);
  return [script];
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
