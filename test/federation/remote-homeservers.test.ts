import { expect, test } from 'vitest';
import type { RunId } from '../../src/domain/ids.ts';
import { startFederatedPair } from '../support/federation.ts';
import { installTimeoutMs } from '../support/homeserver.ts';
import { giveRun, introduce, openMachine, spawnOn, startService, trustAsCoordinator } from './remote-world.ts';

test(
  'a session on a node of another homeserver is attached to, and what is typed while the link is cut arrives once it is healed',
  async () => {
    const run = 'far-crane-1234' as RunId;
    await using pair = await startFederatedPair();
    const [ours, theirs] = pair.servers;
    await using here = await openMachine(ours, 'here');
    await using node = await openMachine(theirs, 'overseas');
    trustAsCoordinator(node, here.identity.did);
    giveRun(node, run, here);
    using host = await node.world.host();
    await using _ = startService(node);
    const session = await spawnOn(node, host, run, 'talk', 'while read line; do echo "got $line"; done');
    introduce(here, node, run, ['talk']);
    const terminal = here.world.terminal(['dag', 'attach', session]);
    await terminal.waitForText('attached to');
    terminal.type('one\r');
    await terminal.waitForText('got one');
    pair.cut();
    terminal.type('two\r');
    pair.heal();
    await terminal.waitForText('got two');
    terminal.type('\u001dd');
    expect((await terminal.ended).code).toBe(0);
  },
  installTimeoutMs,
);
