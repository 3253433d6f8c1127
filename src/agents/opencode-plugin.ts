/**
 * Returns the source of a plugin that hands opencode's events to `cis hook`, one process each, in order. It keeps the text of the
 * latest answer, because `session.idle` does not say it, and never throws into the program.
 */
export function opencodePlugin(argv: readonly string[]): string {
  return `import { spawn } from 'node:child_process';
const [file, ...args] = ${JSON.stringify(argv)};
let queue = Promise.resolve();
const report = (payload) => {
  queue = queue.then(() => new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    const done = () => { clearTimeout(timer); resolve(); };
    child.on('error', done);
    child.on('exit', done);
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(payload));
  })).catch(() => {});
  return queue;
};
const texts = new Map();
const roles = new Map();
const parents = new Map();
const wanted = new Set(['session.created', 'session.status', 'session.idle', 'session.error', 'permission.asked', 'permission.updated', 'permission.replied', 'question.asked', 'question.replied', 'question.rejected']);
export const CisHook = async () => ({
  event: async ({ event }) => {
    const p = event.properties ?? {};
    if (event.type === 'message.updated') roles.set(p.info?.id, p.info?.role);
    if (event.type === 'message.part.updated' && p.part?.type === 'text' && roles.get(p.part.messageID) === 'assistant') texts.set(p.part.sessionID, p.part.text);
    if (event.type === 'session.created') parents.set(p.info?.id, p.info?.parentID);
    if (!wanted.has(event.type)) return;
    const session = p.sessionID ?? p.info?.id;
    const payload = { type: event.type, properties: p, side: parents.get(session) !== undefined && parents.get(session) !== null, lastText: texts.get(session) ?? null };
    const sent = report(payload);
    if (event.type === 'session.idle') await sent;
  },
});
`;
}
