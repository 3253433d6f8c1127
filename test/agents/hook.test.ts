import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hookCommand } from '../../src/agents/hook-command.ts';
import { frameJson, openFrameReader } from '../../src/host/frame.ts';

interface Ended {
  readonly code: number | null;
  readonly printed: string;
}

let dir: string;
let path: string;
let server: Server | null;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cis-hook-'));
  path = join(dir, 'host.sock');
  server = null;
});
afterEach(() => {
  server?.close();
  rmSync(dir, { recursive: true });
});

/** A host that takes requests and answers them, or says nothing at all. */
function listen(requests: unknown[], answers: boolean): Promise<void> {
  server = createServer((socket) => {
    const read = openFrameReader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const frame of read(chunk)) {
        if (frame.kind !== 'json') continue;
        const request = JSON.parse(frame.text) as { id: number };
        requests.push(request);
        if (answers) socket.write(frameJson({ kind: 'reply', id: request.id, ok: true, value: { kind: 'done' } }));
      }
    });
  });
  return new Promise((resolve) => server?.listen(path, resolve));
}

function hook(args: readonly string[], stdin: string | null, token: string | undefined): Promise<Ended> {
  const [file = '', ...rest] = hookCommand();
  const env = { ...process.env, CIS_HOOK_SOCKET: path, CIS_HOOK_TOKEN: token };
  const child = spawn(file, [...rest, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (printed += bytes.toString()));
  child.stdin.on('error', () => undefined);
  if (stdin !== null) child.stdin.end(stdin);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, printed })));
}

const stop = { hook_event_name: 'Stop', session_id: 's', last_assistant_message: 'done — ünïcode' };

describe('cis hook', () => {
  it('hands what standard input says to the host, with the token of its session', async () => {
    const requests: unknown[] = [];
    await listen(requests, true);
    expect(await hook(['claude'], JSON.stringify(stop), 'secret')).toEqual({ code: 0, printed: '' });
    const report = { kind: 'turn-done', thread: 's', message: 'done — ünïcode' };
    expect(requests).toEqual([{ id: 1, kind: 'hook', token: 'secret', report }]);
  });

  it('takes its payload as an argument without waiting for standard input, as Codex gives it', async () => {
    const requests: unknown[] = [];
    await listen(requests, true);
    const payload = {
      type: 'agent-turn-complete',
      'thread-id': 't',
      'input-messages': ['hi'],
      'last-assistant-message': 'hello',
    };
    expect(await hook(['codex', JSON.stringify(payload)], null, 'secret')).toEqual({ code: 0, printed: '' });
    expect(requests).toMatchObject([{ report: { kind: 'turn-done', message: 'hello' } }]);
  });

  it('disturbs no agent: no host, no token, no JSON', async () => {
    expect(await hook(['claude'], JSON.stringify(stop), 'secret')).toEqual({ code: 0, printed: '' });
    expect(await hook(['claude'], JSON.stringify(stop), undefined)).toEqual({ code: 0, printed: '' });
    const requests: unknown[] = [];
    await listen(requests, true);
    expect(await hook(['claude'], '{"half": ', 'secret')).toEqual({ code: 0, printed: '' });
    expect(requests).toEqual([]);
  });

  it('gives up on a host that does not answer, and on standard input that does not end', async () => {
    await listen([], false);
    expect(await hook(['claude'], JSON.stringify(stop), 'secret')).toEqual({ code: 0, printed: '' });
    expect(await hook(['claude'], null, 'secret')).toEqual({ code: 0, printed: '' });
  });
});
