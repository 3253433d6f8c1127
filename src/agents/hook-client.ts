import { connect } from 'node:net';
import { hookSocketVariable, hookTokenVariable, type HookReport } from '../domain/hook.ts';
import { frameJson, openFrameReader } from '../host/frame.ts';
import { interpretHook } from './interpret-hook.ts';

/** The agent waits for its hook: after this it goes on, whatever became of the report. */
const patienceMs = 2_000;
const maxPayloadBytes = 4 * 1024 * 1024;

export interface HookInput {
  readonly agent: string;
  /** Codex gives its payload as an argument, the others on standard input. */
  readonly argument: string | undefined;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads what an agent says to its hook and hands it to the host, which knows the session by its token. It never fails and prints
 * nothing: what a hook prints or exits with could change what the agent does.
 */
export async function runHook(input: HookInput): Promise<void> {
  const socket = input.env[hookSocketVariable];
  const token = input.env[hookTokenVariable];
  if (socket === undefined || token === undefined) return;
  const deadline = new Promise<void>((resolve) => setTimeout(resolve, patienceMs).unref());
  await Promise.race([deliver(input, socket, token).catch(() => undefined), deadline]);
}

async function deliver({ agent, argument, stdin }: HookInput, socket: string, token: string): Promise<void> {
  const text = argument ?? (await readAll(stdin));
  const report = interpretHook(agent, parseJson(text));
  if (report !== null) await send(socket, token, report);
}

/** Resolves when the host has answered: only then is the report on its disk. */
function send(path: string, token: string, report: HookReport): Promise<void> {
  return new Promise((resolve, reject) => {
    const read = openFrameReader();
    const socket = connect(path, () => socket.write(frameJson({ id: 1, kind: 'hook', token, report })));
    socket.on('data', (chunk) => {
      if (read(chunk).length > 0) socket.end();
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}

async function readAll(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    size += chunk.length;
    if (size > maxPayloadBytes) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
