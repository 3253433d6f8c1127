import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventType, MsgType, RelationType, type MatrixEvent } from 'matrix-js-sdk';
import type { RateLimit } from '../../src/domain/room.ts';
import { matrixFiles, readAccount, writeAccount, type Account } from '../../src/matrix/secrets.ts';
import { openStorage } from '../../src/storage/open.ts';
import { must, type TestHomeserver } from '../support/homeserver.ts';
import { openSdkClient, type SdkClient } from '../support/sdk.ts';
import { fixture } from '../support/sessions.ts';
import type { World } from '../support/world.ts';

export async function loggedIn(world: World, server: TestHomeserver, name: string, limited = false): Promise<string> {
  const { userId } = await server.user(name, { limited });
  const args = ['matrix', 'login', '--homeserver', server.url, '--user', name, '--password-stdin', '--json'];
  const ended = await world.cis(args, { stdin: `${name}-password\n` });
  if (ended.code !== 0) throw new Error(ended.stderr);
  if (!limited) setLimit(world, null);
  return userId;
}

/** What the server allows, null: everything; a login cannot know. */
export function setLimit(world: World, limit: RateLimit | null): void {
  const db = must(openStorage(world.home.database));
  db.prepare('UPDATE matrix_device SET limit_json = ?').run(limit === null ? null : JSON.stringify(limit));
  db.close();
}

/** From now on the home reaches its homeserver by another address. */
export function goThrough(world: World, url: string): void {
  const files = matrixFiles(world.home.dir);
  const account = must(readAccount(files));
  if (account === null) throw new Error('not logged in');
  writeAccount(files, { ...account, homeserver: url });
}

export async function makeRoom(world: World, name: string, ...more: readonly string[]): Promise<string> {
  const made = await world.cis(['matrix', 'create-room', name, '--json', ...more]);
  if (made.code !== 0) throw new Error(made.stderr);
  return (JSON.parse(made.stdout) as { room_id: string }).room_id;
}

/** A second client of another user, in the room, with the power level that answering takes unless said otherwise. */
export async function joinAs(account: Account, room: string): Promise<SdkClient> {
  const person = await openSdkClient(account);
  await person.client.joinRoom(room);
  return person;
}

const menu = (question: string, choices: readonly string[]): string =>
  `node ${fixture('asks-menu.mjs')} '${JSON.stringify({ questions: [{ question, choices }] })}'`;

/** A DAG file of tasks that ask with a menu, one after the other. */
export function writeAsking(
  world: World,
  questions: readonly (readonly [question: string, ...choices: string[]])[],
): string {
  const tasks = questions.map(([question, ...choices], index) => {
    const deps = index === 0 ? '' : `deps = ["ask${index}"]\n`;
    return `[[dag.tasks]]\nid = "ask${index + 1}"\n${deps}command = '''${menu(question, choices)}'''\n`;
  });
  return writeDag(world, `[dag]\nname = "asking"\n${tasks.join('\n')}`);
}

export function writeDag(world: World, text: string): string {
  const path = join(world.dir, 'dag.toml');
  writeFileSync(path, text);
  return path;
}

export const bodyOf = (event: MatrixEvent): string => String(event.getOriginalContent()['body'] ?? '');

/** The event of `type`, a message that has the text, or an edit that has it. */
export function message(part: string): (event: MatrixEvent) => boolean {
  return (event) => event.getType() === 'm.room.message' && bodyOf(event).includes(part);
}

export async function react(person: SdkClient, room: string, event: MatrixEvent, key: string): Promise<void> {
  await person.client.sendEvent(room, EventType.Reaction, {
    'm.relates_to': { rel_type: RelationType.Annotation, event_id: event.getId() ?? '', key },
  });
}

export async function reply(person: SdkClient, room: string, event: MatrixEvent, body: string): Promise<void> {
  const relation = { 'm.in_reply_to': { event_id: event.getId() ?? '' } };
  await person.client.sendMessage(room, { msgtype: MsgType.Text, body, 'm.relates_to': relation });
}

export async function say(person: SdkClient, room: string, body: string, thread: string | null = null): Promise<void> {
  await person.client.sendMessage(room, thread, { msgtype: MsgType.Text, body });
}
