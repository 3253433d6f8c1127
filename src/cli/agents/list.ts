import type { Command } from 'commander';
import { fit } from '../../ui/width.ts';
import { print, printJson } from '../context.ts';
import { describeLogin, describeVersion, findAgents } from './found.ts';

export function command(into: Command): Command {
  return into.option('--json', 'print JSON').action(async (options: { json?: true }) => {
    const agents = await findAgents();
    if (options.json) {
      printJson({
        agents: agents.map(({ profile, probe }) => ({ name: profile.name, title: profile.title, ...probe })),
      });
      return;
    }
    const rows = agents.map((agent) => [
      agent.profile.name,
      describeVersion(agent),
      agent.probe.path === null ? '' : describeLogin(agent),
    ]);
    const width = (column: number): number => Math.max(...rows.map((row) => (row[column] ?? '').length));
    print(
      rows.map((row) =>
        row
          .map((cell, column) => fit(cell, width(column)))
          .join('  ')
          .trimEnd(),
      ),
    );
  });
}
