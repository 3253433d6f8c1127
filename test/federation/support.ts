import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { homeAt, type Home } from '../../src/config/home.ts';
import { openIdentity, type Identity } from '../../src/federation/identity.ts';
import { signContent } from '../../src/federation/sign.ts';
import type { Received } from '../../src/federation/sign.ts';
import type { JsonObject } from '../../src/matrix/http.ts';
import { openStorage, type Db } from '../../src/storage/open.ts';
import { takeSeq } from '../../src/storage/trust.ts';

/** A home with keys and a database, and the account it speaks as. */
export interface TestNode {
  readonly home: Home;
  readonly db: Db;
  readonly identity: Identity;
  readonly userId: string;
  /** Signs content as this home would, with its own counter, as it arrives in the room. */
  readonly say: (type: string, content: JsonObject, room?: string) => Received;
  readonly [Symbol.dispose]: () => void;
}

export const room = '!fleet:example.org';

export function makeNode(name: string): TestNode {
  const dir = mkdtempSync(join(tmpdir(), `cis-node-${name}-`));
  const home = homeAt(dir);
  const identity = openIdentity(home);
  const opened = openStorage(home.database);
  if (!opened.ok) throw new Error('no database');
  const db = opened.value;
  const userId = `@${name}:example.org`;
  return {
    home,
    db,
    identity,
    userId,
    say: (type, content, where = room) => {
      const seq = takeSeq(db, where, 1_700_000_000_000);
      const signed = signContent(identity, { type, room: where, userId, seq, content });
      if (!signed.ok) throw new Error(signed.error);
      // What arrives went through JSON.
      return { type, room: where, sender: userId, content: JSON.parse(JSON.stringify(signed.value)) as JsonObject };
    },
    [Symbol.dispose]: () => {
      db.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
