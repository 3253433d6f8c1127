import {
  VerificationPhase,
  VerificationRequestEvent,
  VerifierEvent,
  type ShowSasCallbacks,
  type VerificationRequest,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureCrossSigning } from '../../src/matrix/crypto/cross-signing.ts';
import { verifyByEmoji, type ShownEmoji } from '../../src/matrix/crypto/verify.ts';
import {
  installTimeoutMs,
  must,
  openTestDevice,
  startTestHomeserver,
  type TestHomeserver,
} from '../support/homeserver.ts';
import { openSdkClient } from '../support/sdk.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startTestHomeserver();
}, installTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test('a person verifies cis by emoji, both see the same, and the place in the sync stays where it was', async () => {
  await using bot = await openTestDevice(await server.user('bot'));
  must(await bot.transport.syncOnce(() => {}, 0));
  must(await ensureCrossSigning(bot.crypto, bot.http, null));
  await using sdk = await openSdkClient(await server.user('person'));
  const crypto = sdk.client.getCrypto();
  if (crypto === undefined) throw new Error('the SDK has no crypto');
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => upload(null) });
  const room = must(
    await bot.transport.rooms.create({ name: 'r', encrypted: true, invite: [String(sdk.client.getUserId())] }),
  );
  await sdk.client.joinRoom(room);
  await sdk.seen((event) => event.getType() === 'm.room.member' && event.getStateKey() === sdk.client.getUserId());
  must(await bot.transport.syncOnce(() => {}, 0));
  await crypto.getUserDeviceInfo([bot.account.userId], true);
  const before = bot.db.prepare('SELECT since FROM matrix_device').pluck().get();

  const request = await crypto.requestVerificationDM(bot.account.userId, room);
  const theirs = sdkSide(request);
  const ours: ShownEmoji[] = [];
  const verified = await verifyByEmoji(bot, {
    ask: false,
    signal: AbortSignal.timeout(25_000),
    onProgress: () => {},
    compare: async (emoji) => {
      ours.push(...emoji);
      return true;
    },
  });
  expect(verified).toEqual({ ok: true, value: sdk.client.getUserId() });
  expect(ours.map((one) => one.symbol)).toEqual(await theirs);
  expect(ours).toHaveLength(7);
  expect(bot.db.prepare('SELECT since FROM matrix_device').pluck().get()).toBe(before);
});

/** Does what Element does; resolves with the emoji it showed. */
function sdkSide(request: VerificationRequest): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let isStarted = false;
    request.on(VerificationRequestEvent.Change, () => {
      if (request.phase !== VerificationPhase.Ready || isStarted) return;
      isStarted = true;
      void request.startVerification('m.sas.v1').then((verifier) => {
        verifier.on(VerifierEvent.ShowSas, (sas: ShowSasCallbacks) => {
          void sas.confirm();
          resolve(sas.sas.emoji?.map(([symbol]) => symbol) ?? []);
        });
        return verifier.verify();
      }, reject);
    });
  });
}
