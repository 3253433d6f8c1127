import type { ReadStream, WriteStream } from 'node:tty';
import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import type { AnswerSource } from '../../domain/block.ts';
import { sessionOfBlock, type SessionId } from '../../domain/ids.ts';
import { connectHosts, describeHostError } from '../../host/client.ts';
import type { HostConnection } from '../../host/port.ts';
import type { RequestBody } from '../../host/protocol.ts';
import type { DashboardActions } from '../../ui/dashboard/open-dashboard.ts';
import type { Notice } from '../../ui/dashboard/state.ts';
import { me } from '../dag/me.ts';
import { withNodeOf } from '../remote.ts';
import { openOutput, readWhole } from './output.ts';

export interface ActionOptions {
  readonly home: Home;
  readonly config: Config;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly detachKeys: readonly string[];
}

/** What the keys of the dashboard do: the same requests as those of `dag unblock`, `confirm`, `kill`, `attach`, … */
export function openActions(options: ActionOptions): DashboardActions {
  const { home, config } = options;
  const source: AnswerSource = { ...me(), via: 'dashboard' };
  return {
    answer: ({ block, fingerprint, answer }) =>
      inSession(home, sessionOfBlock(block), (host) =>
        askHost(host, { kind: 'answer', block, fingerprint, answer, source }, `answered ${sessionOfBlock(block)}`),
      ),
    kill: (session) =>
      inSession(home, session, (host) =>
        askHost(
          host,
          { kind: 'kill', session, signal: 'SIGTERM', graceMs: config.host.kill_grace_ms, cause: 'user' },
          `killed ${session}`,
        ),
      ),
    attach: (session) => inSession(home, session, (host) => attach(host, session, options)),
    wish: async ({ run, request }) => {
      const { wishOf } = await import('./wish.ts');
      return wishOf(home, config, run, request, source);
    },
    openOutput: (session, show) => openOutput(home, session, show),
    readHistory: (session) => readWhole(home, session),
  };
}

/** Does something with the host in which a session lives, here or on another node. */
async function inSession(
  home: Home,
  session: SessionId,
  act: (host: HostConnection) => Promise<Notice>,
): Promise<Notice> {
  const what = `dashboard (pid ${process.pid})`;
  const hosts = await connectHosts(home, what);
  try {
    for (const host of hosts) {
      const reply = await host.request({ kind: 'list', run: null });
      if (!reply.ok || reply.value.kind !== 'sessions') continue;
      if (reply.value.sessions.some((one) => one.session === session)) return await act(host);
    }
    const there = await withNodeOf(home, session, what, act);
    if (!there.ok) return { text: there.error, tone: 'bad' };
    return there.value ?? { text: `${session} has ended`, tone: 'bad' };
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
}

async function askHost(host: HostConnection, body: RequestBody, done: string): Promise<Notice> {
  const reply = await host.request(body);
  return reply.ok ? { text: done, tone: 'good' } : { text: describeHostError(reply.error), tone: 'bad' };
}

async function attach(host: HostConnection, session: SessionId, options: ActionOptions): Promise<Notice> {
  const { attachTerminal } = await import('../../host/attach.ts');
  const { stdin, stdout, detachKeys } = options;
  const outcome = await attachTerminal({ host, session, stdin, stdout, readonly: false, force: false, detachKeys });
  if (!outcome.ok) return { text: describeHostError(outcome.error), tone: 'bad' };
  switch (outcome.value.kind) {
    case 'detached':
      return { text: `detached from ${session}; it goes on`, tone: 'dim' };
    case 'session-ended':
      return { text: `${session} has ended`, tone: 'dim' };
    case 'taken-over':
      return { text: `${outcome.value.by} took the keyboard of ${session}`, tone: 'bad' };
    case 'disconnected':
      return { text: 'the host is gone', tone: 'bad' };
    case 'signalled':
      return { text: `detached by ${outcome.value.signal}`, tone: 'dim' };
  }
}
