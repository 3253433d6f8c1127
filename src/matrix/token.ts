import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '../domain/result.ts';
import type { MatrixFailure } from './failure.ts';
import { refreshTokens } from './oauth.ts';
import { readAccount, writeAccount, type Account, type MatrixFiles } from './secrets.ts';

/** An access token that may be renewed when the homeserver no longer takes it. */
export interface TokenSource {
  current(): string;
  /** Another token than `stale`; null: there is none, somebody must log in. */
  renew(stale: string): Promise<Result<string | null, MatrixFailure>>;
}

export type Credentials = string | TokenSource | null;

/** Refreshes take half a minute at most; a lock that is older was left behind by a process that was killed. */
const staleLockMs = 60_000;
const lockLookMs = 50;

/** The token of an account as requests want it. An OAuth session's is renewed and written back, one process at a time. */
export function credentialsOf(files: MatrixFiles, account: Account): string | TokenSource {
  if (account.oauth === undefined) return account.accessToken;
  let token = account.accessToken;
  let renewing: Promise<Result<string | null, MatrixFailure>> | null = null;
  return {
    current: () => token,
    async renew(stale) {
      if (token !== stale) return ok(token);
      renewing ??= renewInTurn(files, stale).finally(() => {
        renewing = null;
      });
      const renewed = await renewing;
      if (renewed.ok && renewed.value !== null) token = renewed.value;
      return renewed;
    },
  };
}

/** A refresh token is good once: whoever comes second finds the new tokens in the file. */
async function renewInTurn(files: MatrixFiles, stale: string): Promise<Result<string | null, MatrixFailure>> {
  const lock = `${files.account}.lock`;
  while (!tryLock(lock)) await sleep(lockLookMs);
  try {
    const account = readAccount(files);
    if (!account.ok) return err({ kind: 'bad-answer', detail: account.error });
    if (account.value === null) return ok(null);
    if (account.value.accessToken !== stale) return ok(account.value.accessToken);
    return await renewNow(files, account.value);
  } finally {
    rmSync(lock, { force: true });
  }
}

async function renewNow(files: MatrixFiles, account: Account): Promise<Result<string | null, MatrixFailure>> {
  const { oauth } = account;
  if (oauth === undefined) return ok(null);
  const tokens = await refreshTokens(oauth);
  if (!tokens.ok || tokens.value === null) return tokens.ok ? ok(null) : tokens;
  const { accessToken, refreshToken } = tokens.value;
  writeAccount(files, {
    ...account,
    accessToken,
    oauth: { ...oauth, refreshToken: refreshToken ?? oauth.refreshToken },
  });
  return ok(accessToken);
}

function tryLock(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > staleLockMs) rmSync(path, { force: true });
    return false;
  }
}
