import type { Home } from '../../config/home.ts';
import type { Did } from '../../domain/fleet/did.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { readNode } from '../../storage/nodes.ts';
import type { Db } from '../../storage/open.ts';
import { readIdentity } from '../identity.ts';
import { connectCarrier, type Carrier } from './carrier.ts';
import { describeDialError, openRemoteHost, type RemoteHost } from './connect.ts';
import { Line, type NodeAddress } from './line.ts';

/** A node by its name and where messages reach it. */
export interface KnownAddress {
  readonly name: string;
  readonly address: NodeAddress;
}

/** What this home knows of a node; null: it never heard of it. */
export function addressOf(db: Db, did: Did): KnownAddress | null {
  const row = readNode(db, did);
  if (row === null) return null;
  const { node, userId, deviceId } = row.node.facts;
  return { name: node, address: { did, userId, deviceId } };
}

/** Connections to other nodes, opened as they are wanted. */
export interface Reach extends Disposable {
  readonly ownDid: Did;
  /** An error says in words for a person why the node is not reached. */
  host(node: KnownAddress): Promise<Result<RemoteHost, string>>;
}

export interface ReachOptions {
  /** Shown there to whoever looks who is attached. */
  readonly what: string;
  readonly answerMs?: number;
}

export function openReach(home: Home, { what, answerMs }: ReachOptions): Result<Reach, string> {
  const identity = readIdentity(home);
  if (identity === null) return err('this home has no keys of a node: cis node id makes them');
  let carrying: Promise<Result<{ readonly carrier: Carrier; readonly line: Line }, string>> | null = null;
  const hosts: RemoteHost[] = [];
  let isClosed = false;

  async function connect(): Promise<Result<{ readonly carrier: Carrier; readonly line: Line }, string>> {
    const carrier = await connectCarrier(home, { serve: false });
    if (!carrier.ok || identity === null) return carrier.ok ? err('no keys') : carrier;
    if (isClosed) carrier.value[Symbol.dispose]();
    const limits = answerMs === undefined ? {} : { answerMs };
    return ok({ carrier: carrier.value, line: new Line({ carrier: carrier.value, identity, limits }) });
  }

  return ok({
    ownDid: identity.did,
    async host({ name, address }) {
      carrying ??= connect();
      const carried = await carrying;
      if (!carried.ok) return carried;
      const host = await openRemoteHost(carried.value.line, address, what);
      if (!host.ok) return err(describeDialError(host.error, name));
      hosts.push(host.value);
      return host;
    },
    [Symbol.dispose]() {
      isClosed = true;
      for (const host of hosts) host[Symbol.dispose]();
      // what ends the channels is still to be sent
      void carrying?.then((carried) =>
        carried.ok ? setImmediate(() => carried.value.carrier[Symbol.dispose]()) : null,
      );
    },
  });
}
