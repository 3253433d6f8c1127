import type { Command } from 'commander';
import type { RoomListing } from '../../matrix/port.ts';
import { print, printJson } from '../context.ts';
import { openClient, orFail } from './context.ts';

export function command(into: Command): Command {
  return into.option('--json', 'print JSON').action(async (options: { readonly json?: true }) => {
    const { rooms } = openClient();
    const listings: RoomListing[] = [];
    for (const room of orFail(await rooms.joined(), 'cannot list the rooms')) {
      listings.push(orFail(await rooms.describe(room), `cannot look at ${room}`));
    }
    if (options.json) printJson({ rooms: listings.map(toJson) });
    else
      print(
        listings.length === 0
          ? ['in no room yet: cis matrix create-room NAME, or cis matrix join ROOM']
          : listings.map(render),
      );
  });
}

function toJson(listing: RoomListing): object {
  return { room_id: listing.room, name: listing.name, alias: listing.alias, encrypted: listing.encrypted };
}

function render(listing: RoomListing): string {
  const lock = listing.encrypted ? '  encrypted' : '';
  return `${listing.room}  ${listing.name ?? '(no name)'}${listing.alias === null ? '' : `  ${listing.alias}`}${lock}`;
}
