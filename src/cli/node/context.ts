import { parseDid, type Did } from '../../domain/fleet/did.ts';
import { nearest } from '../../domain/nearest.ts';
import { openIdentity, type Identity } from '../../federation/identity.ts';
import { listNodes } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { listTrust } from '../../storage/trust.ts';
import { home } from '../context.ts';
import { CommandError } from '../exit.ts';

/** The keys of this home, made by the first call. */
export function needIdentity(): Identity {
  return openIdentity(home());
}

/** How a node is named: its key, the end of its key as people compare it, or the name it gives itself. */
export function needDid(db: Db, text: string): Did {
  const did = parseDid(text);
  if (did.ok) return did.value;
  if (text.startsWith('did:')) throw new CommandError('usage', did.error);
  const known = knownNames(db);
  const found = new Set(known.filter(({ did, name }) => name === text || isEnd(did, text)).map((one) => one.did));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    throw new CommandError('refused', `several nodes are called ${text}: say which by its key`, [...found]);
  }
  const near = nearest(
    text,
    known.flatMap(({ name }) => (name === null ? [] : [name])),
  );
  const meant = near === null ? [] : [`did you mean ${near}?`];
  throw new CommandError('not-found', `no node ${text} was heard of`, [...meant, 'those that were: cis node list']);
}

function isEnd(did: Did, text: string): boolean {
  const end = text.replaceAll(' ', '');
  return end.length >= 8 && did.endsWith(end);
}

function knownNames(db: Db): { readonly did: Did; readonly name: string | null }[] {
  const heard = listNodes(db).map(({ node }) => ({ did: node.facts.did, name: node.facts.node }));
  return [...heard, ...listTrust(db).map(({ did, node }) => ({ did, name: node }))];
}
