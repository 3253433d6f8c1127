import type { Command } from 'commander';
import type { Origin } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { listPlaces } from '../../config/schema.ts';
import { print, printJson, readConfig } from '../context.ts';

export function command(into: Command): Command {
  return into
    .option('--origin', 'say where each value came from')
    .option('--json', 'print JSON')
    .action(async (options: { origin?: true; json?: true }) => {
      const loaded = await readConfig();
      if (options.json) printJson(toJson(loaded, options.origin === true));
      else print(renderConfig(loaded, options.origin === true));
    });
}

function renderConfig({ config, origins }: LoadedConfig, withOrigin: boolean): string[] {
  const rows = listPlaces().map((place) => {
    const value = (config[place.section] as Readonly<Record<string, unknown>>)[place.key];
    return [
      `${place.path} = ${value === null ? '(not set)' : JSON.stringify(value)}`,
      origins.get(place.path),
    ] as const;
  });
  const { answers, agents, skills, dags } = config;
  const tables = Object.entries({ answers, agents, skills, dags })
    .filter(([, value]) => Object.keys(value).length > 0)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const width = Math.min(60, Math.max(...rows.map(([text]) => text.length)));
  const shown = rows.map(([text, origin]) =>
    withOrigin && origin !== undefined ? `${text.padEnd(width)}  # ${describeOrigin(origin)}` : text,
  );
  return [...shown, ...tables];
}

function toJson({ config, origins }: LoadedConfig, withOrigin: boolean): unknown {
  return withOrigin ? { config, origins: Object.fromEntries(origins) } : { config };
}

function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'user':
    case 'project':
      return origin.path;
    case 'env':
      return origin.name;
    case 'flag':
      return `flag for ${origin.name}`;
  }
}
