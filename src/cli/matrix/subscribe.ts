import { InvalidArgumentError, Option, type Command } from 'commander';
import { connectDevice, type Connection } from '../../bridge/connect.ts';
import { readMachineEvent } from '../../matrix/events/index.ts';
import { describeFailure } from '../../matrix/failure.ts';
import type { JsonObject } from '../../matrix/http.ts';
import type { RoomEvent } from '../../matrix/port.ts';
import { readEvent } from '../../matrix/sync.ts';
import { watchRoom } from '../../matrix/watch.ts';
import { print, printJson, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { failed, files, needRoom, openClient, openWriter, orFail, type Client } from './context.ts';
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
  const client = openClient();
  const room = await needRoom(client.rooms, given);
  const listing = orFail(await client.rooms.describe(room), `cannot look into ${given}`);
  const signal = untilInterrupted();
  const device = listing.encrypted ? await openDevice(client) : null;
  const format = options.json ? 'json' : options.format;
  if (format === 'table') print([roomHeading]);
  const show = (events: readonly RoomEvent[]): void => {
    for (const event of events) showEvent(event, format, options.run ?? '');
  };
  try {
    const watched = await watchRoom(client.rooms, {
      room,
      since: options.since ?? null,
      signal,
      onEvents: async (events) => show(await readAll(device, room, events)),
      onTrouble: (failure) => process.stderr.write(`${describeFailure(failure)}; trying again\n`),
    });
    if (!watched.ok) throw failed(watched.error, `cannot follow ${given}`);
  } finally {
    await device?.transport.close();
  }
}

/** Keys for an encrypted room belong to one process at a time. */
async function openDevice({ account }: Client): Promise<Connection> {
  const device = await connectDevice(files(), account, openWriter());
  if (device.ok) return device.value;
  throw new CommandError('refused', `this room is encrypted, and ${device.error.detail}`, [
    'follow it when nothing else uses this account, or with an account and CIS_HOME of its own',
  ]);
}

/** Decrypts; when something cannot be read, the keys that wait for us are taken first, and it is tried once more. */
async function readAll(
  device: Connection | null,
  room: string,
  events: readonly JsonObject[],
): Promise<readonly RoomEvent[]> {
  if (device === null) return Promise.all(events.map((event) => readEvent(null, room, event)));
  const { transport } = device;
  const read = await Promise.all(events.map((event) => transport.read(room, event)));
  if (!read.some((event) => event.protection.kind === 'undecryptable')) return read;
  const fetched = await transport.look(null, 1);
  return fetched.ok ? Promise.all(events.map((event) => transport.read(room, event))) : read;
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
