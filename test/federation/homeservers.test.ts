import { expect, test } from 'vitest';
import { startFederatedPair } from '../support/federation.ts';
import { installTimeoutMs, must, openTestDevice } from '../support/homeserver.ts';
import { putIntoOutbox } from '../../src/storage/outbox.ts';

test(
  'what is sent while the link between two homeservers is cut is on the other side once it is healed',
  async () => {
    await using pair = await startFederatedPair();
    const [here, there] = pair.servers;
    await using ada = await openTestDevice(await here.user('ada'));
    await using bob = await openTestDevice(await there.user('bob'));
    const { rooms } = ada.transport;
    const room = must(await rooms.create({ name: 'shared', encrypted: false, invite: [bob.account.userId] }));
    must(await bob.transport.rooms.join(room));
    const stop = new AbortController();
    const texts: unknown[] = [];
    const five = new Promise<void>((resolve) => {
      void bob.transport.follow(
        ({ events }) => {
          for (const { type, content } of events) if (type === 'cis.test') texts.push(content['n']);
          if (texts.length === 5) resolve();
        },
        { signal: stop.signal },
      );
    });
    const send = async (n: number): Promise<void> => {
      putIntoOutbox(ada.db, { room, lane: 'machine', type: 'cis.test', content: { n } }, 0);
      must(await ada.transport.drain({ signal: stop.signal, untilEmpty: true }));
    };
    await send(1);
    pair.cut();
    for (const n of [2, 3, 4]) await send(n);
    pair.heal();
    await send(5);
    await five;
    stop.abort();
    expect(texts).toEqual([1, 2, 3, 4, 5]);
  },
  installTimeoutMs,
);
