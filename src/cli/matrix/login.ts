import type { Command } from 'commander';
import { defaultRateLimit } from '../../matrix/bucket.ts';
import { openHttp } from '../../matrix/http.ts';
import type { Account } from '../../matrix/secrets.ts';
import { print, printJson, readConfig, untilInterrupted } from '../context.ts';
import { CommandError } from '../exit.ts';
import { failed, findAccount, orFail, whoAmI } from './context.ts';
import { askSecret, readStdinLine } from './secret.ts';
import { settleDevice, signingHint } from './session.ts';

interface Options {
  readonly homeserver?: string;
  readonly user?: string;
  readonly passwordStdin?: true;
  readonly tokenStdin?: true;
  readonly sso?: true;
  readonly deviceCode?: true;
  readonly json?: true;
}

export function command(into: Command): Command {
  return into
    .option('--homeserver <url>', 'the address of the homeserver, such as https://matrix.example.org')
    .option('--user <name>', 'the user, as name or as @name:server')
    .option('--password-stdin', 'read the password from stdin; without it you are asked')
    .option('--token-stdin', 'read an access token from stdin')
    .option('--sso', "log in by the homeserver's web page")
    .option('--device-code', 'log in by a code that you type into a browser on any machine')
    .option('--json', 'print JSON')
    .action(login);
}

async function login(options: Options): Promise<void> {
  const ways = [options.passwordStdin, options.tokenStdin, options.sso, options.deviceCode].filter(Boolean).length;
  if (ways > 1) throw new CommandError('usage', 'one way to log in at a time');
  const { config } = await readConfig();
  const homeserver = addressOf(options.homeserver ?? config.matrix.homeserver);
  const before = findAccount();
  const user = options.user ?? config.matrix.user_id;
  refuseAnother(before, user);
  const wish = {
    name: config.matrix.device_name,
    deviceId: before?.homeserver === homeserver ? before.deviceId : null,
  };
  const got = await credentials(homeserver, user, options, wish);
  refuseAnother(before, got.account.userId);
  const signing = await settleDevice(got.account, defaultRateLimit, got.password);
  const { userId, deviceId } = got.account;
  if (options.json) printJson({ user_id: userId, device_id: deviceId, homeserver, signed: signing.kind === 'signed' });
  else
    print([
      `logged in as ${userId}, device ${deviceId}`,
      ...[signingHint(signing, got.account)].filter((line) => line !== null),
    ]);
}

interface Got {
  readonly account: Account;
  /** Kept for this command only: the homeserver may want it to sign the device. */
  readonly password: string | null;
}

async function credentials(
  homeserver: string,
  user: string | null,
  options: Options,
  wish: { readonly name: string; readonly deviceId: string | null },
): Promise<Got> {
  if (options.tokenStdin)
    return { account: await accountOfToken(homeserver, await readStdinLine('token')), password: null };
  if (options.deviceCode) {
    const { loginWithCode } = await import('./device-code.ts');
    return { account: await loginWithCode(homeserver, wish.deviceId, untilInterrupted()), password: null };
  }
  const { loginFlows, loginWithPassword, loginWithSso } = await import('../../matrix/sdk/login.ts');
  const flows = orFail(await loginFlows(homeserver), `cannot log in at ${homeserver}`);
  if (options.sso) {
    if (!flows.includes('m.login.sso'))
      throw new CommandError('refused', 'this homeserver has no web page to log in by');
    const show = (link: string): boolean => process.stderr.write(`open this address in a browser:\n  ${link}\n`);
    const account = orFail(await loginWithSso(homeserver, wish, show, untilInterrupted()), 'cannot log in');
    return { account, password: null };
  }
  if (user === null) throw new CommandError('usage', 'who logs in? give --user NAME');
  if (!flows.includes('m.login.password')) throw await noPasswords(homeserver, flows);
  const password = options.passwordStdin ? await readStdinLine('password') : await askSecret(`password of ${user}: `);
  const account = await loginWithPassword(homeserver, user, password, wish);
  if (!account.ok && account.error.kind === 'forbidden') {
    throw new CommandError('refused', `${homeserver} does not accept this user and password`);
  }
  if (!account.ok) throw failed(account.error, 'cannot log in');
  return { account: account.value, password };
}

async function noPasswords(homeserver: string, flows: readonly string[]): Promise<CommandError> {
  const { findDeviceLogin } = await import('../../matrix/oauth.ts');
  const byCode = await findDeviceLogin(openHttp(homeserver, null));
  return new CommandError('refused', 'this homeserver takes no passwords', [
    ...(byCode.ok && byCode.value !== null ? ['log in by a code and a browser: --device-code'] : []),
    ...(flows.includes('m.login.sso') ? ['log in by its web page: --sso'] : []),
    'use an access token of another client: --token-stdin',
  ]);
}

async function accountOfToken(homeserver: string, accessToken: string): Promise<Account> {
  const { userId, deviceId } = await whoAmI(openHttp(homeserver, accessToken));
  if (deviceId === '')
    throw new CommandError('refused', 'this token belongs to no device', ['cis needs one, for its keys']);
  return { homeserver, userId, deviceId, accessToken };
}

function addressOf(text: string | null): string {
  if (text === null)
    throw new CommandError('usage', 'which homeserver? give --homeserver URL', [
      'or start a private one: cis matrix up',
    ]);
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandError('usage', `"${text}" is not the address of a homeserver`);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'http:' && !isLocal) {
    throw new CommandError('usage', 'a password must not travel unencrypted: use https', [
      'http is accepted for this machine only',
    ]);
  }
  return url.href.replace(/\/+$/, '');
}

/** One home is one device of one account: the queue and the keys belong to it. */
function refuseAnother(before: Account | null, user: string | null): void {
  if (before === null || user === null) return;
  const isSame =
    user === before.userId || user.replace(/^@/, '') === before.userId.slice(1, before.userId.indexOf(':'));
  if (isSame) return;
  throw new CommandError('refused', `this home is logged in as ${before.userId}`, [
    'log out first with `cis matrix logout`, or use another CIS_HOME',
  ]);
}
