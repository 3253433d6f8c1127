import type { ServerResponse } from 'node:http';

/** What the endpoint needs to know of a request, whatever protocol it came by. */
export interface Conversation {
  /** The latest message of a person. */
  readonly prompt: string;
  /** Tool results that came after it. */
  readonly results: number;
  /** A side errand of the program: it offers no tools, or asks for a title. */
  readonly errand: boolean;
  readonly stream: boolean;
  readonly model: string;
  /** The shell tool on offer and the names of its arguments. */
  readonly tool: Tool | null;
  /** The names of all tools on offer. */
  readonly offers: readonly string[];
}

/** A tool call of the model. */
export interface Call {
  readonly name: string;
  readonly args: Json;
}

export interface Dialect {
  read(body: unknown, url: string): Conversation;
  sendCall(response: ServerResponse, conversation: Conversation, call: Call): void;
  sendText(
    response: ServerResponse,
    conversation: Conversation,
    words: readonly string[],
    pause: () => Promise<void>,
  ): Promise<void>;
}

interface Tool {
  readonly name: string;
  readonly properties: Readonly<Record<string, { readonly type?: string }>>;
}

interface Said {
  readonly by: 'person' | 'tool' | 'other';
  readonly text: string;
}

type Json = Readonly<Record<string, unknown>>;

/** The protocol spoken at a URL; null when it is none of ours. */
export function dialectOf(url: string): Dialect | null {
  const path = url.split('?')[0] ?? '';
  if (path.endsWith('/responses')) return responses;
  if (path.endsWith('/chat/completions')) return chat;
  if (path.endsWith('/messages')) return messages;
  if (/:(stream)?generateContent$/i.test(path)) return gemini;
  return null;
}

const SHELL_TOOLS = [
  'exec_command',
  'shell_command',
  'local_shell',
  'shell',
  'bash',
  'Bash',
  'run_shell_command',
  'Shell',
];

/** What the programs ask on the side: a title, the next thing the user may type, whether a call is harmless. */
const ERRAND =
  /task title|generate a title|title generator|concise title|short title|SUGGESTION MODE|Managed memory has|Pending tool call to classify/i;

function conversation(said: readonly Said[], tools: readonly Tool[], body: Json): Conversation {
  const last = said.findLastIndex(({ by }) => by === 'person');
  const prompt = said[last]?.text ?? '';
  const tool = tools.find(({ name }) => SHELL_TOOLS.includes(name)) ?? null;
  return {
    prompt,
    results: said.slice(last + 1).filter(({ by }) => by === 'tool').length,
    errand: tools.length === 0 || ERRAND.test(prompt),
    stream: body['stream'] === true,
    model: typeof body['model'] === 'string' ? body['model'] : 'scripted',
    tool,
    offers: tools.map(({ name }) => name),
  };
}

/** The arguments that make a program's shell tool run `command`, and ask a person first where the tool has a word for that. */
export function shellArguments(tool: Tool, command: string): Json {
  const has = (name: string): boolean => name in tool.properties;
  const name = has('cmd') ? 'cmd' : 'command';
  const asList = tool.properties[name]?.type === 'array';
  return {
    [name]: asList ? ['bash', '-lc', command] : command,
    ...(has('description') && { description: 'Run the command of the task' }),
    ...(has('is_background') && { is_background: false }),
    ...(has('sandbox_permissions') && {
      sandbox_permissions: 'require_escalated',
      justification: 'Do you want to let me write to the project?',
    }),
  };
}

const responses: Dialect = {
  read(body) {
    const json = object(body);
    const tools = list(json['tools']).map((tool) => ({
      name: text(tool['name'] ?? tool['type']),
      properties: object(object(tool['parameters'])['properties']) as Tool['properties'],
    }));
    return conversation(list(json['input']).map(saidInResponses), tools, json);
  },
  sendCall(response, _told, { name, args }) {
    const head = { type: 'function_call', id: id('fc'), call_id: id('call') };
    const item = { ...head, name, arguments: JSON.stringify(args) };
    openStream(response, 'response.created', { type: 'response.created', response: { id: id('resp') } });
    event(response, { type: 'response.output_item.added', output_index: 0, item });
    event(response, { type: 'response.output_item.done', output_index: 0, item });
    completeResponse(response);
  },
  async sendText(response, _conversation, words, pause) {
    const item = (content: readonly unknown[]): Json => ({ type: 'message', role: 'assistant', id: 'msg_1', content });
    openStream(response, 'response.created', { type: 'response.created', response: { id: id('resp') } });
    event(response, { type: 'response.output_item.added', output_index: 0, item: item([]) });
    for (const delta of words) {
      event(response, {
        type: 'response.output_text.delta',
        item_id: 'msg_1',
        output_index: 0,
        content_index: 0,
        delta,
      });
      await pause();
    }
    const whole = item([{ type: 'output_text', text: words.join(''), annotations: [] }]);
    event(response, { type: 'response.output_item.done', output_index: 0, item: whole });
    completeResponse(response);
  },
};

function saidInResponses(item: Json): Said {
  const type = text(item['type']);
  if (type.endsWith('_output')) return { by: 'tool', text: '' };
  if (type !== 'message' && type !== '') return { by: 'other', text: '' };
  const words = contentText(item['content']);
  // Codex puts what it knows of the machine into messages of the user's role, each inside a tag.
  return {
    by: item['role'] === 'user' && !words.startsWith('<') && !words.startsWith('#') ? 'person' : 'other',
    text: words,
  };
}

function completeResponse(response: ServerResponse): void {
  const usage = {
    input_tokens: 10,
    input_tokens_details: null,
    output_tokens: 5,
    output_tokens_details: null,
    total_tokens: 15,
  };
  event(response, { type: 'response.completed', response: { id: id('resp'), usage } });
  response.end();
}

const chat: Dialect = {
  read(body) {
    const json = object(body);
    const tools = list(json['tools']).map((tool) => toolOf(object(tool['function']), 'parameters'));
    const said = list(json['messages']).map((message): Said => {
      if (message['role'] === 'tool') return { by: 'tool', text: '' };
      const words = contentText(message['content']);
      return { by: message['role'] === 'user' && !words.startsWith('<system') ? 'person' : 'other', text: words };
    });
    return conversation(said, tools, json);
  },
  sendCall(response, told, { name, args }) {
    const call = { name, arguments: JSON.stringify(args) };
    const message = {
      role: 'assistant',
      content: null,
      tool_calls: [{ index: 0, id: id('call'), type: 'function', function: call }],
    };
    if (!told.stream) return wholeChat(response, told, message, 'tool_calls');
    openStream(response);
    chunk(response, told, message, null);
    endChat(response, told, 'tool_calls');
  },
  async sendText(response, told, words, pause) {
    if (!told.stream) return wholeChat(response, told, { role: 'assistant', content: words.join('') }, 'stop');
    openStream(response);
    for (const content of words) {
      chunk(response, told, { role: 'assistant', content }, null);
      await pause();
    }
    endChat(response, told, 'stop');
  },
};

const chatUsage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

function chunk(
  response: ServerResponse,
  told: Conversation,
  delta: Json,
  finish: string | null,
  more: Json = {},
): void {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  const head = { id: 'cc_1', object: 'chat.completion.chunk', created: 1, model: told.model };
  response.write(`data: ${JSON.stringify({ ...head, choices, ...more })}\n\n`);
}

function endChat(response: ServerResponse, told: Conversation, finish: string): void {
  chunk(response, told, {}, finish, { usage: chatUsage });
  response.end('data: [DONE]\n\n');
}

function wholeChat(response: ServerResponse, told: Conversation, message: Json, finish: string): void {
  const choices = [{ index: 0, message, finish_reason: finish }];
  whole(response, { id: 'cc_1', object: 'chat.completion', created: 1, model: told.model, choices, usage: chatUsage });
}

const messages: Dialect = {
  read(body) {
    const json = object(body);
    const tools = list(json['tools']).map((tool) => toolOf(tool, 'input_schema'));
    const said = list(json['messages']).flatMap((message): Said[] => {
      const parts = list(message['content']);
      const results = parts
        .filter((part) => part['type'] === 'tool_result')
        .map((): Said => ({ by: 'tool', text: '' }));
      if (results.length > 0) return [...results, ...besideResults(parts)];
      const words = contentText(message['content']);
      return [{ by: message['role'] === 'user' ? 'person' : 'other', text: words }];
    });
    return conversation(said, tools, json);
  },
  sendCall(response, told, { name, args }) {
    const block = { type: 'tool_use', id: id('toolu'), name, input: args };
    if (!told.stream) return whole(response, messageOf(told, [block], 'tool_use'));
    openMessage(response, told, { ...block, input: {} });
    messageDelta(response, { type: 'input_json_delta', partial_json: JSON.stringify(args) });
    endMessage(response, 'tool_use');
  },
  async sendText(response, told, words, pause) {
    if (!told.stream) return whole(response, messageOf(told, [{ type: 'text', text: words.join('') }], 'end_turn'));
    openMessage(response, told, { type: 'text', text: '' });
    for (const part of words) {
      messageDelta(response, { type: 'text_delta', text: part });
      await pause();
    }
    endMessage(response, 'end_turn');
  },
};

/** What a person says right after a rejection comes in one message with it, beside the program's own words in tags and brackets. */
function besideResults(parts: readonly Json[]): Said[] {
  const texts = parts.map((part) => (part['type'] === 'text' ? contentText([part]).trim() : ''));
  return texts.filter((text) => text !== '' && !/^[<[]/.test(text)).map((text) => ({ by: 'person', text }));
}

function messageOf(told: Conversation, content: readonly unknown[], stop: string | null): Json {
  const usage = { input_tokens: 10, output_tokens: 1 };
  const head = { id: id('msg'), type: 'message', role: 'assistant', model: told.model };
  return { ...head, content, stop_reason: stop, stop_sequence: null, usage };
}

function openMessage(response: ServerResponse, told: Conversation, block: Json): void {
  openStream(response, 'message_start', { type: 'message_start', message: messageOf(told, [], null) });
  event(response, { type: 'content_block_start', index: 0, content_block: block });
}

function messageDelta(response: ServerResponse, delta: Json): void {
  event(response, { type: 'content_block_delta', index: 0, delta });
}

function endMessage(response: ServerResponse, stop: string): void {
  event(response, { type: 'content_block_stop', index: 0 });
  event(response, {
    type: 'message_delta',
    delta: { stop_reason: stop, stop_sequence: null },
    usage: { output_tokens: 5 },
  });
  event(response, { type: 'message_stop' });
  response.end();
}

const gemini: Dialect = {
  read(body, url) {
    const json = object(body);
    const tools = list(json['tools'])
      .flatMap((group) => list(group['functionDeclarations']))
      .map((tool) => toolOf(tool, tool['parametersJsonSchema'] === undefined ? 'parameters' : 'parametersJsonSchema'));
    const said = list(json['contents']).map((content): Said => {
      const parts = list(content['parts']);
      if (parts.some((part) => part['functionResponse'] !== undefined)) return { by: 'tool', text: '' };
      return {
        by: content['role'] === 'user' ? 'person' : 'other',
        text: parts.map((p) => text(p['text'])).join('\n'),
      };
    });
    return conversation(said, tools, { ...json, stream: /stream/i.test(url) });
  },
  sendCall(response, told, { name, args }) {
    sendGemini(response, told, [{ functionCall: { name, args } }]);
  },
  async sendText(response, told, words, pause) {
    if (!told.stream) return sendGemini(response, told, [{ text: words.join('') }]);
    openStream(response);
    for (const part of words) {
      response.write(
        `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text: part }] }, index: 0 }] })}\n\n`,
      );
      await pause();
    }
    response.end(`data: ${JSON.stringify(geminiAnswer([{ text: '' }]))}\n\n`);
  },
};

function geminiAnswer(parts: readonly unknown[]): Json {
  const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 };
  return { candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }], usageMetadata };
}

function sendGemini(response: ServerResponse, told: Conversation, parts: readonly unknown[]): void {
  if (!told.stream) return whole(response, geminiAnswer(parts));
  openStream(response);
  response.end(`data: ${JSON.stringify(geminiAnswer(parts))}\n\n`);
}

function toolOf(tool: Json, schema: string): Tool {
  return { name: text(tool['name']), properties: object(object(tool[schema])['properties']) as Tool['properties'] };
}

function openStream(response: ServerResponse, name?: string, first?: Json): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (name !== undefined && first !== undefined) event(response, first);
}

function event(response: ServerResponse, data: Json): void {
  response.write(`event: ${text(data['type'])}\ndata: ${JSON.stringify(data)}\n\n`);
}

function whole(response: ServerResponse, body: Json): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => text(part['text']))
    .filter((part) => !part.startsWith('<system-reminder>'))
    .join('\n');
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

let count = 0;
function id(prefix: string): string {
  count += 1;
  return `${prefix}_${Date.now().toString(36)}${count.toString(36)}`;
}
