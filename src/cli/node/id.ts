import type { Command } from 'commander';
import { fingerprintOf } from '../../domain/fleet/did.ts';
import { nodeName } from '../../federation/detect/detect.ts';
import { identityFile } from '../../federation/in-fleet.ts';
import { home, print, printJson, readConfig } from '../context.ts';
import { needIdentity } from './context.ts';

export function command(into: Command): Command {
  return into
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe first call makes the keys. They never leave this machine; who has them is this node.')
    .action(async (options: { readonly json?: true }) => {
      const { config } = await readConfig();
      const { did, seal } = needIdentity();
      const name = nodeName(config);
      const keys = identityFile(home());
      if (options.json) {
        printJson({ node: name, did, fingerprint: fingerprintOf(did), seal_key: seal.publicKey, keys });
        return;
      }
      print([
        `node         ${name}`,
        `key          ${did}`,
        `fingerprint  ${fingerprintOf(did)}  (compare it when somebody trusts this node)`,
        `private keys ${keys}`,
      ]);
    });
}
