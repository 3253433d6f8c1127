import { existsSync } from 'node:fs';
import { writePrivate } from '../../matrix/secrets.ts';
import { home } from '../context.ts';

/** Writes a first config that names the homeserver and room; into one that is there nothing is written, the lines are returned. */
export function proposeConfig(homeserver: string, userId: string, room: string): string[] {
  const lines = [
    '[dag]',
    `room_id = ${JSON.stringify(room)}`,
    '',
    '[matrix]',
    `homeserver = ${JSON.stringify(homeserver)}`,
    `user_id = ${JSON.stringify(userId)}`,
  ];
  const path = home().config;
  if (!existsSync(path)) {
    writePrivate(path, `${lines.join('\n')}\n`);
    return [`written: ${path}`];
  }
  return [`To make this room the default, have in ${path}:`, ...lines.map((line) => `  ${line}`)];
}
