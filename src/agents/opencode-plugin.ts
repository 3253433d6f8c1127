import type { AgentMode } from '../domain/dag.ts';

/**
 * Returns the source of a plugin that hands opencode's events to `cis hook`, one process each, in order. It keeps the text of the
 * latest answer, because `session.idle` does not say it, and never throws into the program. `opencode run` ends before its last events
 * are delivered, and rejects by itself what would need a person: there the answer is reported as soon as it is whole, and questions are not.
 */
export function opencodePlugin(argv: readonly string[], mode: AgentMode): string {
  return `import { spawn, spawnSync } from 'node:child_process';
const oneshot = ${String(mode === 'oneshot')};
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
const reportNow = (payload) => {
  try {
    spawnSync(file, args, { input: JSON.stringify(payload), stdio: ['pipe', 'ignore', 'ignore'], timeout: 5000 });
  } catch {}
};
const texts = new Map();
const rejected = new Set();
const seen = new Set();
const roles = new Map();
const parents = new Map();
const wanted = new Set(['session.created', 'session.status', 'session.idle', 'session.error', 'permission.asked', 'permission.updated', 'permission.replied', 'question.asked', 'question.replied', 'question.rejected']);
export const CisHook = async () => ({
  event: async ({ event }) => {
    const p = event.properties ?? {};
    if (event.type === 'message.updated') roles.set(p.info?.id, p.info?.role);
    if (event.type === 'message.part.updated' && p.part?.type === 'text' && roles.get(p.part.messageID) === 'assistant') texts.set(p.part.sessionID, p.part.text);
    if (event.type === 'session.created') parents.set(p.info?.id, p.info?.parentID);
    const session = p.sessionID ?? p.info?.sessionID ?? p.info?.id;
    const side = Boolean(parents.get(session));
    if (event.type === 'message.updated' && p.info?.role === 'user' && !seen.has(p.info.id)) { seen.add(p.info.id); rejected.delete(session); texts.delete(session); }
    if (oneshot && event.type === 'message.updated' && p.info?.role === 'assistant' && p.info.time?.completed && p.info.finish === 'stop') {
      reportNow({ type: 'session.idle', properties: { sessionID: session }, side, lastText: texts.get(session) ?? null });
    }
    if (!wanted.has(event.type) || (oneshot && /^(permission|question)\\./.test(event.type))) return;
    if (event.type === 'permission.replied' && p.reply === 'reject') rejected.add(session);
    const payload = { type: event.type, properties: p, side, rejected: rejected.has(session), lastText: texts.get(session) ?? null };
    const sent = report(payload);
    if (event.type === 'session.idle') await sent;
  },
});
`;
}
