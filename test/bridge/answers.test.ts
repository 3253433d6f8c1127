import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openAnswers } from '../../src/bridge/answers.ts';
import { listFailed, listInbox, putIntoInbox } from '../../src/storage/bridge.ts';
import { openStorage } from '../../src/storage/open.ts';
import { must } from '../support/homeserver.ts';
import { openWorld } from '../support/world.ts';

test('what a message trips over is marked and said, the next message is taken, and no later bridge meets it again', async () => {
  await using world = openWorld();
  mkdirSync(world.home.dir, { recursive: true, mode: 0o700 });
  const db = must(openStorage(world.home.database));
  const commands = ['@odd:x', '@ada:x'];
  for (const [at, sender] of commands.entries()) {
    const body = { kind: 'message', text: '!cis help', target: null, thread: null };
    putIntoInbox(db, { eventId: `$${sender}`, room: '!r', sender, at, body });
  }
  const answers = openAnswers({
    home: world.home,
    db,
    isAllowed: async (_room: string, user: string) => {
      if (user === '@odd:x') throw new Error('the levels\nare odd');
      return true;
    },
    allowedWords: 'anybody',
    serverName: 'x',
    dags: {},
    mask: (text: string) => text,
    now: () => 1000,
    onWritten: () => {},
  } as never);
  answers.look();
  await answers.settled();
  expect(listInbox(db)).toEqual([]);
  expect(listFailed(db, 10)).toMatchObject([{ eventId: '$@odd:x', sender: '@odd:x', reason: 'the levels are odd' }]);
  const said = db.prepare('SELECT content FROM outbox ORDER BY id').pluck().all() as string[];
  expect(said.some((content) => content.includes('something here failed: the levels are odd'))).toBe(true);
  expect(said.some((content) => content.includes('!cis status'))).toBe(true);
  const status = await world.cis(['matrix', 'status']);
  expect(status.stdout).toContain('not taken   what @odd:x said in !r: the levels are odd');
  db.close();
});
