import { InvalidArgumentError, Option, type Command } from 'commander';
import { readMachineEvent } from '../../matrix/events/index.ts';
import { describeFailure } from '../../matrix/failure.ts';
import type { RoomEvent } from '../../matrix/port.ts';
import { print, printJson, untilInterrupted } from '../context.ts';
import { failed } from './context.ts';
import { openRoomReader } from './room-reader.ts';
import { isAbout, renderRoomLine, roomHeading, roomLines } from './room-lines.ts';

interface Options {
  readonly format: 'table' | 'plain' | 'json';
  readonly since?: number;
  readonly run?: string;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .argument('<room>', 'an id (!room:server) or an alias (#room:server)')
    .addOption(new Option('--format <format>', 'how to print').choices(['table', 'plain', 'json']).default('table'))
    .option('--since <when>', 'begin with what happened since then: 10m, 2h, or 2026-01-31T12:00', parseWhen)
    .option('--run <id>', 'only this run; the beginning of its id is enough')
    .option('--json', 'the same as --format json: one JSON value a line')
    .action(subscribe);
}

async function subscribe(given: string, options: Options): Promise<void> {
  const signal = untilInterrupted();
  await using reader = await openRoomReader(given);
  const format = options.json ? 'json' : options.format;
  if (format === 'table') print([roomHeading]);
  const followed = await reader.follow({
    since: options.since ?? null,
    signal,
    onEvents: (events) => {
      for (const event of events) showEvent(event, format, options.run ?? '');
    },
    onTrouble: (failure) => process.stderr.write(`${describeFailure(failure)}; trying again\n`),
  });
  if (!followed.ok) throw failed(followed.error, `cannot follow ${given}`);
}

function showEvent(event: RoomEvent, format: Options['format'], run: string): void {
  if (!event.type.startsWith('cis.')) return;
  const read = readMachineEvent(event.type, event.content);
  if (!read.ok) {
    process.stderr.write(`${JSON.stringify(`not understood: ${read.error}`)}\n`);
    return;
  }
  const { event: machine, warning } = read.value;
  if (!isAbout(machine, run)) return;
  if (warning !== null) process.stderr.write(`${warning}\n`);
  if (format === 'json') printJson({ event_id: event.eventId, sender: event.sender, ...machine });
  else print(roomLines(machine).map((line) => renderRoomLine(line, format)));
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

function parseWhen(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (unit !== '') return Date.now() - Number(number) * (units[unit] ?? 0);
  const instant = Date.parse(text);
  if (Number.isNaN(instant))
    throw new InvalidArgumentError(`"${text}" is neither a duration (30s, 10m, 2h, 7d) nor a time`);
  return instant;
}
