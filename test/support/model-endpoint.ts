import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dialectOf, shellArguments, type Call, type Conversation, type Dialect } from './model-dialects.ts';

/** What the model does at one turn of a conversation. */
export type Turn =
  | { readonly kind: 'tool'; readonly command: string; readonly delayMs?: number }
  /** The first of these tools that the program offers. */
  | { readonly kind: 'call'; readonly calls: readonly Call[]; readonly delayMs?: number }
  | { readonly kind: 'text'; readonly text: string; readonly delayMs?: number; readonly paceMs?: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: unknown;
    };

/** The turns of a conversation whose latest prompt of a person contains `when`. */
export interface Scenario {
  readonly when: string;
  readonly turns: readonly Turn[];
}

interface ModelRequest {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly prompt: string;
  readonly offers: readonly string[];
  readonly turn: Turn | null;
}

export interface ModelEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly ModelRequest[];
}

/**
 * Opens a model endpoint on 127.0.0.1 that plays scripted turns over the OpenAI Responses, OpenAI Chat Completions, Anthropic
 * Messages and Gemini protocols. It keeps no state: which turn comes next is read from the conversation (how many tool results
 * follow the latest prompt), so many sessions may talk to it at once and a repeated request gets the same answer.
 */
export async function openModelEndpoint(scenarios: readonly Scenario[], port = 0): Promise<ModelEndpoint> {
  const requests: ModelRequest[] = [];
  const server = createServer((request, response) => {
    void readBody(request).then((body) => answer(request, response, body));
  });
  const answer = async (request: IncomingMessage, response: ServerResponse, body: string): Promise<void> => {
    const url = request.url ?? '/';
    const dialect = dialectOf(url);
    const conversation = dialect === null ? null : dialect.read(parseJson(body), url);
    const turn = conversation === null ? null : nextTurn(scenarios, conversation);
    requests.push({
      method: request.method ?? '',
      url,
      body,
      prompt: conversation?.prompt ?? '',
      offers: conversation?.offers ?? [],
      turn,
    });
    if (request.method !== 'POST' || dialect === null || conversation === null || turn === null) {
      return sendJson(response, request.method === 'GET' ? 200 : 404, modelList);
    }
    await playTurn(response, dialect, conversation, turn);
  };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const modelList = { object: 'list', data: [{ id: 'scripted', object: 'model' }], models: [] };

/** A side errand (a title, a summary, a quota probe) gets a short text; who offers no shell gets the first text. */
function nextTurn(scenarios: readonly Scenario[], conversation: Conversation): Turn {
  if (conversation.errand) return { kind: 'text', text: 'Scripted task' };
  const scenario = scenarios.find(({ when }) => conversation.prompt.includes(when)) ?? scenarios[0];
  const turns = scenario?.turns ?? [];
  const nothing: Turn = { kind: 'text', text: 'There is nothing to do.' };
  const turn = turns[Math.min(conversation.results, turns.length - 1)] ?? nothing;
  if (turn.kind !== 'tool' || conversation.tool !== null) return turn;
  return turns.find(({ kind }) => kind === 'text') ?? nothing;
}

async function playTurn(
  response: ServerResponse,
  dialect: Dialect,
  conversation: Conversation,
  turn: Turn,
): Promise<void> {
  if (turn.kind === 'status') return sendJson(response, turn.status, turn.body, turn.headers);
  if (turn.delayMs !== undefined) await pause(turn.delayMs);
  if (turn.kind !== 'text') {
    const call = callOf(turn, conversation);
    return dialect.sendCall(response, conversation, call);
  }
  const words = turn.paceMs === undefined ? [turn.text] : turn.text.split(/(?<= )/);
  return dialect.sendText(response, conversation, words, () => pause(turn.paceMs ?? 0));
}

function callOf(turn: Extract<Turn, { kind: 'tool' | 'call' }>, { tool, offers }: Conversation): Call {
  const call = turn.kind === 'call' ? turn.calls.find(({ name }) => offers.includes(name)) : undefined;
  if (call !== undefined) return call;
  if (tool === null || turn.kind === 'call') throw new Error(`none of the tools is on offer: ${offers.join(', ')}`);
  return { name: tool.name, args: shellArguments(tool, turn.command) };
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
