import type { Home } from '../../config/home.ts';
import type { Block } from '../../domain/block.ts';
import { parseSessionId, type RunId, type SessionId, type TaskId } from '../../domain/ids.ts';
import type { SessionState } from '../../domain/session.ts';
import { connectHosts } from '../../host/client.ts';
import type { HostConnection } from '../../host/port.ts';
import type { HostedSession } from '../../host/protocol.ts';

/** How the sessions stand that live at this moment. */
export interface LivingSessions {
  stateOf(session: SessionId): SessionState | undefined;
  blocked(run: RunId): readonly { readonly session: SessionId; readonly task: TaskId; readonly block: Block }[];
}

export interface LivingSessionsReader extends Disposable {
  /** Asks the hosts, and is told from now on when something happens in these runs. */
  read(runs: readonly RunId[]): Promise<LivingSessions>;
}

/** Connects to the hosts there are once a run goes on; starts none. */
export function openLivingSessions(home: Home, changed: () => void): LivingSessionsReader {
  let hosts: HostConnection[] = [];
  const followed = new Set<RunId>();
  const connect = async (): Promise<void> => {
    hosts = await connectHosts(home, `dashboard (pid ${process.pid})`);
    followed.clear();
    for (const host of hosts) {
      host.listen({ journal: changed, poke: changed });
      void host.closed.then(() => {
        hosts = hosts.filter((other) => other !== host);
        changed();
      });
    }
  };
  const follow = (run: RunId): void => {
    if (followed.has(run)) return;
    followed.add(run);
    for (const host of hosts) void host.request({ kind: 'follow', run, after: Number.MAX_SAFE_INTEGER });
  };
  return {
    async read(runs) {
      if (runs.length > 0 && hosts.length === 0) await connect();
      for (const run of runs) follow(run);
      const lists = runs.length === 0 ? [] : await Promise.all(hosts.map(listSessions));
      return picture(lists.flat());
    },
    [Symbol.dispose]() {
      for (const host of hosts) host[Symbol.dispose]();
    },
  };
}

async function listSessions(host: HostConnection): Promise<readonly HostedSession[]> {
  const reply = await host.request({ kind: 'list', run: null });
  return reply.ok && reply.value.kind === 'sessions' ? reply.value.sessions : [];
}

function picture(sessions: readonly HostedSession[]): LivingSessions {
  const states = new Map(sessions.map(({ session, state }) => [session, state]));
  return {
    stateOf: (session) => states.get(session),
    blocked: (run) =>
      sessions.flatMap(({ session, state, run: of }) => {
        const parts = parseSessionId(session);
        if (of !== run || state.kind !== 'blocked' || !parts.ok) return [];
        return [{ session, task: parts.value.task, block: state.block }];
      }),
  };
}
