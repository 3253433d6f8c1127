import type { Home } from '../config/home.ts';
import type { Answer, AnswerSource } from '../domain/block.ts';
import { sessionOfBlock, type BlockId, type RunId } from '../domain/ids.ts';
import type { RunRequest } from '../domain/request.ts';
import { err, ok, type Result } from '../domain/result.ts';
import { unreachable } from '../domain/unreachable.ts';
import type { AskOutcome } from '../executor/ask.ts';
import { connectHosts, describeHostError } from '../host/client.ts';
import type { Disconnected, HostConnection } from '../host/port.ts';
import type { HostError, HostedSession } from '../host/protocol.ts';
import type { Db } from '../storage/open.ts';
import { withNodeOf } from './elsewhere.ts';
import type { Question } from './question.ts';

export interface ActOptions {
  readonly home: Home;
  readonly db: Db;
  /** Tells a run what a person wishes, as the command line does. */
  readonly ask: (run: RunId, request: RunRequest, source: AnswerSource) => Promise<AskOutcome>;
}

/** Gives an answer where it belongs. The value is what to say to whoever gave it; null: the question's own message will say it. */
export function act(
  options: ActOptions,
  question: Question,
  answer: Answer,
  source: AnswerSource,
): Promise<Result<string | null, string>> {
  const { subject } = question;
  switch (subject.kind) {
    case 'block':
      if (subject.blockKind === 'merge-conflict')
        return wish(options, question, { kind: 'unblock', task: question.task }, source);
      return answerBlock(options, question, subject.fingerprint, answer, source);
    case 'gate':
      return wish(options, question, gateRequest(question, isYes(answer), subject.stakeholders !== null), source);
    case 'undecided':
      return wish(options, question, decision(question, answer), source);
    default:
      return unreachable(subject);
  }
}

function isYes(answer: Answer): boolean {
  return answer.kind === 'choose' && answer.index === 0;
}

function gateRequest({ task }: Question, yes: boolean, isVote: boolean): RunRequest {
  if (isVote) return { kind: 'vote', task, vote: yes ? 'yes' : 'no' };
  return { kind: yes ? 'confirm' : 'reject', task };
}

/** In the order of `decisions` (question.ts). */
function decision({ task }: Question, answer: Answer): RunRequest {
  const index = answer.kind === 'choose' ? answer.index : 0;
  if (index === 0) return { kind: 'retry', task, withDependents: false };
  return { kind: index === 1 ? 'fail' : 'skip', task };
}

async function wish(
  { ask }: ActOptions,
  { run }: Question,
  request: RunRequest,
  source: AnswerSource,
): Promise<Result<string | null, string>> {
  const outcome = await ask(run, request, source);
  switch (outcome.kind) {
    case 'done':
      return ok(request.kind === 'vote' ? outcome.said : null);
    case 'refused':
      return err(outcome.reason);
    case 'failed':
      return err(`run ${run} could not be told (${outcome.end.kind})`);
    default:
      return unreachable(outcome);
  }
}

/** The host gives an answer only while the question is still there, and looks whether the program took it. */
async function answerBlock(
  { home, db }: ActOptions,
  question: Question,
  fingerprint: string,
  answer: Answer,
  source: AnswerSource,
): Promise<Result<string | null, string>> {
  const give = async (
    host: HostConnection,
    sessions: readonly HostedSession[],
  ): Promise<Result<null, string> | null> => {
    const found = sessions.find(({ state }) => state.kind === 'blocked' && state.block.id === question.id);
    if (found === undefined || found.state.kind !== 'blocked') return null;
    const { block } = found.state;
    const reply = await host.request({ kind: 'answer', block: block.id, fingerprint, answer, source });
    return reply.ok || isOwn(reply.error, source) ? ok(null) : err(describeHostError(reply.error));
  };
  const here = await withHosts(home, give);
  if (here !== null) return here;
  const there = await withNodeOf(home, db, sessionOfBlock(question.id as BlockId), async (host) =>
    give(host, await sessionsOf(host)),
  );
  if (!there.ok) return there;
  return there.value ?? err('the question is no longer there');
}

/** Ours from before we were killed: it was given, and is not given twice. */
function isOwn(error: HostError | Disconnected, source: AnswerSource): boolean {
  return error.kind === 'already-answered' && error.source.via === 'room' && error.source.by === source.by;
}

/** Calls with each living host and its sessions until one gives something. */
export async function withHosts<T>(
  home: Home,
  use: (host: HostConnection, sessions: readonly HostedSession[]) => Promise<T | null>,
): Promise<T | null> {
  const hosts = await connectHosts(home, `bridge (pid ${process.pid})`);
  try {
    for (const host of hosts) {
      const got = await use(host, await sessionsOf(host));
      if (got !== null) return got;
    }
    return null;
  } finally {
    for (const host of hosts) host[Symbol.dispose]();
  }
}

async function sessionsOf(host: HostConnection): Promise<readonly HostedSession[]> {
  const list = await host.request({ kind: 'list', run: null });
  return list.ok && list.value.kind === 'sessions' ? list.value.sessions : [];
}
