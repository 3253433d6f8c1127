import { randomInt } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { err, ok, type Result } from '../../domain/result.ts';
import { describeFailure, type MatrixFailure } from '../failure.ts';
import { giveWay } from '../give-way.ts';
import { isObject, textOf } from '../http.ts';
import { writePrivate, type Account } from '../secrets.ts';
import { liftRateLimit, registerUser } from './admin.ts';
import { installSynapse, type InstallProblem } from './install.ts';
import { startSynapse, stopSynapse, type RunningHomeserver } from './synapse.ts';

/** A private homeserver with cis's own account and one for the person. */
export interface PrivateHomeserver {
  readonly running: RunningHomeserver;
  readonly bot: Account;
  readonly person: { readonly userId: string; readonly password: string };
}

export type PrivateProblem = InstallProblem | { readonly kind: 'failed'; readonly detail: string };

export interface PrivateOptions {
  /** Where its data lies. */
  readonly dir: string;
  /** Where Synapse itself is installed. */
  readonly installDir: string;
  readonly person: string | null;
  readonly say: (line: string) => void;
}

/** Brings the homeserver up: installed, started, with its accounts; what is there already stays. */
export async function bringUp(options: PrivateOptions): Promise<Result<PrivateHomeserver, PrivateProblem>> {
  const engine = await installSynapse(options.installDir, options.say);
  if (!engine.ok) return engine;
  options.say('starting the homeserver');
  const running = await startSynapse({ dir: options.dir, engine: engine.value });
  if (!running.ok) return err({ kind: 'failed', detail: running.error });
  giveWay(running.value.pid);
  const users = readUsers(options.dir) ?? (await makeUsers(running.value, options));
  if ('failure' in users)
    return err({ kind: 'failed', detail: `an account could not be made: ${describeFailure(users.failure)}` });
  return ok({ running: running.value, ...users });
}

/** Stops it; its data stays. True when it ran. */
export function takeDown(dir: string): Promise<boolean> {
  return stopSynapse(dir);
}

/** Stops it and removes its accounts, rooms and messages for good. */
export async function eraseHomeserver(dir: string): Promise<void> {
  await stopSynapse(dir);
  rmSync(dir, { recursive: true, force: true });
}

interface Users {
  readonly bot: Account;
  readonly person: { readonly userId: string; readonly password: string };
}

async function makeUsers(
  running: RunningHomeserver,
  options: PrivateOptions,
): Promise<Users | { failure: MatrixFailure }> {
  const secret = running.state.registrationSecret;
  const password = speakablePassword();
  const admin = await registerUser(running.url, secret, {
    name: 'cis-admin',
    password: speakablePassword(),
    admin: true,
  });
  if (!admin.ok) return { failure: admin.error };
  const bot = await registerUser(running.url, secret, { name: 'cis', password: speakablePassword(), admin: false });
  if (!bot.ok) return { failure: bot.error };
  const person = await registerUser(running.url, secret, { name: localName(options.person), password, admin: false });
  if (!person.ok) return { failure: person.error };
  const lifted = await liftRateLimit(admin.value, bot.value.userId);
  if (!lifted.ok) return { failure: lifted.error };
  const users = { bot: bot.value, person: { userId: person.value.userId, password } };
  writePrivate(join(options.dir, 'users.json'), `${JSON.stringify(users, null, 2)}\n`);
  return users;
}

/** The accounts of an earlier start. A start that broke off between them is begun anew by `cis matrix reset`. */
function readUsers(dir: string): Users | null {
  try {
    const raw: unknown = JSON.parse(readFileSync(join(dir, 'users.json'), 'utf8'));
    if (!isObject(raw) || !isObject(raw['bot']) || !isObject(raw['person'])) return null;
    const { bot, person } = raw;
    const text = (value: typeof bot, name: string): string => textOf(value[name], '');
    return {
      bot: {
        homeserver: text(bot, 'homeserver'),
        userId: text(bot, 'userId'),
        deviceId: text(bot, 'deviceId'),
        accessToken: text(bot, 'accessToken'),
      },
      person: { userId: text(person, 'userId'), password: text(person, 'password') },
    };
  } catch {
    return null;
  }
}

/** What a Matrix user may be called, made of what this machine calls the person. */
function localName(given: string | null): string {
  const name = (given ?? userInfo().username).toLowerCase().replace(/[^a-z0-9._=-]/g, '');
  return name === '' || name === 'cis' || name === 'cis-admin' ? 'me' : name;
}

/** 20 letters in groups of four, without i, l and o: it is typed into a phone once. 90 bits. */
function speakablePassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz';
  const group = (): string => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}
