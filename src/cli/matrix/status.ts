import type { Command } from 'commander';
import { describeFailure } from '../../matrix/failure.ts';
import { readState, runningPid } from '../../matrix/homeserver/synapse.ts';
import { openHttp } from '../../matrix/http.ts';
import type { Account } from '../../matrix/secrets.ts';
import { credentialsOf } from '../../matrix/token.ts';
import { readDevice, type DeviceRow } from '../../storage/device.ts';
import { readBridgePid, startBridgeIfOwing } from '../../bridge/start.ts';
import { listFailed, listOpenBridgeRuns, lastSeq, type FailedRow } from '../../storage/bridge.ts';
import { listParked, summarizeOutbox, unpark, type ParkedRow } from '../../storage/outbox.ts';
import type { Db } from '../../storage/open.ts';
import type { OutboxSummary } from '../../domain/room.ts';
import { home, openDatabase, print, printJson } from '../context.ts';
import { files, findAccount, openWriter } from './context.ts';

export function command(into: Command): Command {
  return into
    .option('--retry', 'try again now, also what was set aside')
    .option('--json', 'print JSON')
    .action(async (options: { readonly retry?: true; readonly json?: true }) => {
      if (options.retry) retryParked();
      const status = await readStatus();
      if (options.json) printJson(toJson(status));
      else print(render(status));
    });
}

function retryParked(): void {
  const db = openWriter();
  unpark(db);
  startBridgeIfOwing(home(), db);
  db.close();
}

interface Status {
  readonly account: Account | null;
  /** Null when it answers. */
  readonly problem: string | null;
  readonly device: DeviceRow | null;
  readonly outbox: OutboxSummary;
  readonly parked: readonly ParkedRow[];
  /** What people said in a room and could not be taken. */
  readonly failed: readonly FailedRow[];
  /** Runs that a room does not have to their end. */
  readonly runs: readonly FollowedRun[];
  readonly bridgePid: number | null;
  readonly server: { readonly url: string; readonly pid: number | null } | null;
}

interface FollowedRun {
  readonly run: string;
  readonly room: string;
  /** Events up to here are in the outbox, of so many. */
  readonly seq: number;
  readonly last: number;
  readonly problem: string | null;
}

const emptyOutbox: OutboxSummary = { waiting: 0, sent: 0, parked: 0, oldestAt: null, lastError: null };

async function readStatus(): Promise<Status> {
  const account = findAccount();
  const db = await openDatabase();
  const own = readState(files().homeserver);
  return {
    account,
    problem: account === null ? null : await problemOf(account),
    device: db === null ? null : readDevice(db),
    outbox: db === null ? emptyOutbox : summarizeOutbox(db),
    parked: db === null ? [] : listParked(db, 10),
    failed: db === null ? [] : listFailed(db, 10),
    runs: db === null ? [] : listFollowed(db),
    bridgePid: readBridgePid(home()),
    server: own === null ? null : { url: `http://127.0.0.1:${own.port}`, pid: runningPid(files().homeserver) },
  };
}

function listFollowed(db: Db): FollowedRun[] {
  return listOpenBridgeRuns(db).map(({ run, wanted, seq, problem }) => {
    return { run, room: wanted, seq, last: lastSeq(db, run), problem };
  });
}

async function problemOf(account: Account): Promise<string | null> {
  const http = openHttp(account.homeserver, credentialsOf(files(), account));
  const answer = await http.json({ method: 'GET', path: '/_matrix/client/v3/account/whoami', timeoutMs: 10_000 });
  return answer.ok ? null : describeFailure(answer.error);
}

function render({ account, problem, device, outbox, parked, failed, server, runs, bridgePid }: Status): string[] {
  const limit = device?.limit ?? null;
  return [
    account === null
      ? 'not logged in (cis matrix login, or cis matrix up)'
      : `${account.userId}, device ${account.deviceId}`,
    ...(account === null ? [] : [`homeserver  ${account.homeserver}  ${problem ?? 'answers'}`]),
    ...(server === null
      ? []
      : [`own server  ${server.url}  ${server.pid === null ? 'stopped (cis matrix up)' : `runs, pid ${server.pid}`}`]),
    ...(device === null
      ? []
      : [`limit       ${limit === null ? 'lifted' : `${limit.perSecond} events/s, ${limit.burst} at once`}`]),
    `outbox      ${outbox.waiting} waiting, ${outbox.sent} sent, ${outbox.parked} set aside${ageOf(outbox.oldestAt)}`,
    `bridge      ${bridgePid === null ? 'not needed now' : `runs, pid ${bridgePid}`}`,
    ...runs.map((one) => `follows     ${one.run} in ${one.room}: event ${one.seq} of ${one.last}${problemWords(one)}`),
    ...(outbox.lastError === null ? [] : [`last error  ${outbox.lastError}`]),
    ...parked.map((row) => `set aside   ${row.type} for ${row.room}: ${row.reason}`),
    ...failed.map((row) => `not taken   what ${row.sender} said in ${row.room}: ${row.reason}`),
  ];
}

function problemWords({ problem }: FollowedRun): string {
  return problem === null ? '' : ` (${problem})`;
}

function ageOf(oldestAt: number | null): string {
  return oldestAt === null ? '' : `, the oldest since ${new Date(oldestAt).toISOString()}`;
}

function toJson({ account, problem, device, outbox, parked, failed, server, runs, bridgePid }: Status): object {
  return {
    user_id: account?.userId ?? null,
    device_id: account?.deviceId ?? null,
    homeserver: account?.homeserver ?? null,
    reachable: account !== null && problem === null,
    problem,
    limit: device?.limit ?? null,
    synced: device?.since !== null && device !== null,
    outbox: {
      waiting: outbox.waiting,
      sent: outbox.sent,
      parked: outbox.parked,
      oldest_at: outbox.oldestAt,
      last_error: outbox.lastError,
    },
    parked: parked.map((row) => ({ id: row.id, room_id: row.room, type: row.type, reason: row.reason, at: row.at })),
    not_taken: failed.map((row) => ({
      event_id: row.eventId,
      room_id: row.room,
      sender: row.sender,
      reason: row.reason,
      at: row.at,
    })),
    bridge: { pid: bridgePid },
    follows: runs.map(({ run, room, seq, last, problem: why }) => ({ run, room, seq, last_seq: last, problem: why })),
    own_homeserver: server,
  };
}
