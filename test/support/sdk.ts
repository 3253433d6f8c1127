import {
  ClientEvent,
  createClient,
  MatrixEventEvent,
  RoomEvent,
  SyncState,
  type MatrixClient,
  type MatrixEvent,
} from 'matrix-js-sdk';
import { logger, type Logger } from 'matrix-js-sdk/lib/logger.js';
import type { Account } from '../../src/matrix/secrets.ts';

/** What a person's client would be: matrix-js-sdk as it comes, with its keys in memory. */
export interface SdkClient extends AsyncDisposable {
  readonly client: MatrixClient;
  /** Resolves with the first event that fits, decrypted; also one that came before. */
  seen(fits: (event: MatrixEvent) => boolean): Promise<MatrixEvent>;
}

export async function openSdkClient(account: Account): Promise<SdkClient> {
  Object.assign(logger, quiet);
  const client = createClient({
    baseUrl: account.homeserver,
    userId: account.userId,
    deviceId: account.deviceId,
    accessToken: account.accessToken,
    logger: quiet,
  });
  await client.initRustCrypto({ useIndexedDB: false });
  const events: MatrixEvent[] = [];
  const waiting = new Set<(event: MatrixEvent) => void>();
  const take = (event: MatrixEvent): void => {
    events.push(event);
    for (const look of waiting) look(event);
  };
  client.on(RoomEvent.Timeline, take);
  client.on(MatrixEventEvent.Decrypted, take);
  const prepared = new Promise<void>((resolve) => {
    client.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Prepared) resolve();
    });
  });
  await client.startClient({ initialSyncLimit: 50 });
  await prepared;
  return {
    client,
    seen: (fits) =>
      new Promise((resolve) => {
        const found = events.find(fits);
        if (found !== undefined) return resolve(found);
        const look = (event: MatrixEvent): void => {
          if (!fits(event)) return;
          waiting.delete(look);
          resolve(event);
        };
        waiting.add(look);
      }),
    async [Symbol.asyncDispose]() {
      client.stopClient();
    },
  };
}

const nothing = (): void => {};
const quiet: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => quiet,
};
