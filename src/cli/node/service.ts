import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import { launchdUnit, systemdUnit, type ServiceFacts } from '../../federation/node/service.ts';
import { home, print, printJson } from '../context.ts';

interface Options {
  readonly room?: string;
  readonly launchd?: true;
  readonly systemd?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--room <room>', 'the room it works in; without it the one of the config')
    .option('--systemd', 'for systemd, also where launchd is usual')
    .option('--launchd', 'for launchd, also where systemd is usual')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nPrints a unit file; nothing is written or started. What to do with it stands in its first lines.',
    )
    .action((options: Options) => {
      const facts: ServiceFacts = {
        node: process.execPath,
        cis: realpathSync(process.argv[1] ?? ''),
        homeDir: home().dir,
        path: process.env['PATH'] ?? '/usr/bin:/bin',
        room: options.room ?? null,
      };
      const isLaunchd = options.launchd ?? (options.systemd === undefined && process.platform === 'darwin');
      const text = isLaunchd ? launchdUnit(facts) : systemdUnit(facts);
      if (options.json) printJson({ kind: isLaunchd ? 'launchd' : 'systemd', unit: text });
      else print([text.trimEnd()]);
    });
}
