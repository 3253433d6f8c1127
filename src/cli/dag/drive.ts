import type { Config } from '../../config/config.ts';
import type { Home } from '../../config/home.ts';
import type { LoggedEvent } from '../../domain/event.ts';
import { isOver } from '../../domain/plan.ts';
import { describeConnectError } from '../../host/client.ts';
import type { ConnectHost } from '../../host/port.ts';
import type { RunSettings } from '../../domain/run.ts';
import { Driver, type DriveEnd, type DriveOptions } from '../../executor/driver.ts';
import { isHolderAlive, thisDriver } from '../../executor/identity.ts';
import { readLastLine } from '../../executor/last-line.ts';
import { loadModel } from '../../executor/load.ts';
import { releaseLease, takeLease } from '../../storage/lease.ts';
import type { Db } from '../../storage/open.ts';
import { findRuns, type Lease } from '../../storage/read.ts';
import { insertRequest } from '../../storage/request.ts';
import { openNotifier } from '../../ui/notify.ts';
import { askOnInterrupt } from '../../ui/interrupt.ts';
import { chooseViewKind, openRunView, type OpenRunView } from '../../ui/run-view.ts';
import { CommandError, exitCodes } from '../exit.ts';
import { driveOptions } from './drive-options.ts';
import { startInBackground } from './background.ts';
import { loadLate } from './load-late.ts';
import { me } from './me.ts';

interface DriveFlags {
  readonly json: boolean;
  readonly noWait: boolean;
  readonly paused: boolean;
  /** Takes the run from whoever drives it. */
  readonly takeover: boolean;
  /** This process is the background one: nobody sees what it prints. */
  readonly isBackground: boolean;
}

export interface DriveRequest {
  readonly home: Home;
  readonly db: Db;
  readonly settings: RunSettings;
  readonly config: Config;
  readonly flags: DriveFlags;
  /** `dag run x.toml`: shown to whoever is refused. */
  readonly what: string;
  /** The run was made by this process, for itself. */
  readonly isHeld: boolean;
  /** Given when connecting has begun already. */
  readonly connect?: ConnectHost;
}

/** Drives a run in this process, shows it, and sets the exit code. */
export async function driveRun(request: DriveRequest): Promise<void> {
  const { db, settings, what } = request;
  const { flags } = request;
  const epoch = request.isHeld ? 1 : takeRun(request);
  using _ = isFollowed(db, settings) ? (await import('../../bridge/start.ts')).keepBridge(request.home) : null;
  const options = await driveOptions(request.home, db, settings, request.config, what);
  const view = openView(request, options.mask);
  const past: LoggedEvent[] = [];
  const model = loadModel(db, settings, performance.now() - Date.now(), (events) => void past.push(...events));
  if (past.length > 1) view.restore(past);
  else view.show(past);
  if (isOver(model)) {
    insertRequest(db, settings.run, { kind: 'retry', task: null, withDependents: false }, me(), Date.now());
  }
  using notifier = openRunNotifier(request, options.mask);
  let isLateLoaded = false;
  let isTold = false;
  const driver = new Driver({
    ...options,
    connect: request.connect ?? options.connect,
    model,
    epoch: epoch,
    wait: flags.noWait ? 'never' : process.stdout.isTTY || flags.isBackground ? 'always' : 'not-decisions',
    onlyRequests: false,
    startPaused: flags.paused,
    isTakeover: flags.takeover,
    show: (events) => {
      if (!isTold) process.send?.('driving'); // what the one that started us waits for: the wishes it left are decided
      isTold = true;
      if (!isLateLoaded && events.some(({ event }) => event.kind === 'task-running')) {
        isLateLoaded = true;
        void loadLate(settings);
      }
      view.show(events);
      notifier.see(events);
    },
  });
  let end: Departure;
  try {
    end = await driveUntilEnd(request, driver, view);
  } finally {
    tryRelease(db, settings, epoch);
    view.close(); // a table that is left open keeps the process alive
  }
  await tell(request, end, view, options);
}

/** Returns the epoch in which the run is ours. */
function takeRun({ db, settings, flags, what }: DriveRequest): number {
  const lease = takeLease(db, settings.run, thisDriver(what), flags.takeover ? () => false : isHolderAlive);
  if (lease.ok) return lease.value;
  throw refusedBy(settings, lease.error);
}

function isFollowed(db: Db, { run }: RunSettings): boolean {
  return (findRuns(db, run)[0]?.mode ?? 'local') !== 'local';
}

/** On a full disk the lease stays: whoever comes next sees that its holder is dead. */
function tryRelease(db: Db, settings: RunSettings, epoch: number): void {
  try {
    releaseLease(db, settings.run, epoch);
  } catch {
    // what is wrong with the disk is said by the driver's end
  }
}

function refusedBy(settings: RunSettings, holder: Lease): CommandError {
  return new CommandError('refused', `run ${settings.run} is already driven by ${describeHolder(holder)}`, [
    `watch it: cis dag status ${settings.run} --watch`,
    `take it over: cis dag execute --run-id ${settings.run} --takeover`,
  ]);
}

function describeHolder(holder: Lease | null): string {
  if (holder === null || holder.pid === null) return 'another process, which has left it again';
  return `process ${holder.pid} (${holder.what ?? 'unknown'})`;
}

function openRunNotifier({ config, settings }: DriveRequest, mask: (text: string) => string) {
  const { notify } = config;
  const { stdout } = process;
  return openNotifier({
    run: settings.run,
    ...(stdout.isTTY ? { terminal: (text: string) => void stdout.write(text) } : {}),
    bell: notify.bell,
    osc9: notify.osc9,
    desktop: notify.desktop,
    command: notify.command,
    graceMs: notify.grace_secs * 1000,
    cooldownMs: notify.cooldown_secs * 1000,
    mask,
  });
}

function openView({ home, settings, flags }: DriveRequest, mask: (text: string) => string): OpenRunView {
  return openRunView({
    stream: process.stdout,
    kind: chooseViewKind(flags.json, process.stdout, process.env),
    settings,
    env: process.env,
    mask,
    lastLine: (session) => readLastLine(home, session),
  });
}

/** What ended the driver's work here: its own end, or a person or a signal that sent it away. */
interface Departure {
  readonly end: DriveEnd;
  readonly by: 'itself' | 'signal' | 'detach';
}

async function driveUntilEnd(request: DriveRequest, driver: Driver, view: OpenRunView): Promise<Departure> {
  const { db, settings } = request;
  let by: Departure['by'] = 'itself';
  const leave = (why: 'signal' | 'detach') => () => {
    by = why;
    driver.leave();
  };
  const onSignal = leave('signal');
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  const decide = (choice: 'detach' | 'abort') => {
    if (choice === 'detach') return leave('detach')();
    insertRequest(db, settings.run, { kind: 'abort', reason: 'interrupted' }, me(), Date.now());
    driver.poke();
  };
  using _ = askOnInterrupt({ keyboard: process.stdin, prompt: (text) => view.prompt(text), decide });
  try {
    return { end: await driver.drive(), by };
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGHUP', onSignal);
  }
}

async function tell(
  request: DriveRequest,
  { end, by }: Departure,
  view: OpenRunView,
  options: Pick<DriveOptions, 'mask'>,
): Promise<void> {
  const { settings, flags, db } = request;
  const say = (lines: readonly string[]): void => void process.stderr.write(lines.map((line) => `${line}\n`).join(''));
  switch (end.kind) {
    case 'over':
      process.exitCode = end.state.kind === 'completed' ? exitCodes.done : exitCodes.failed;
      if (flags.json) return;
      return (await import('./print-report.ts')).printReport(db, view.picture, options.mask);
    case 'needs-person':
      process.exitCode = exitCodes['needs-person'];
      if (!flags.json) (await import('./print-report.ts')).printReport(db, view.picture, options.mask);
      return say((await import('./needs.ts')).describeNeeds(settings, db));
    case 'left':
      if (by === 'detach') return detach(request);
      process.exitCode = exitCodes.interrupted;
      return say([
        `cis: told to end; the sessions of ${settings.run} live on`,
        `  carry on: cis dag execute --run-id ${settings.run}`,
      ]);
    case 'superseded':
      throw new CommandError(
        'refused',
        `run ${settings.run} was taken over by ${end.elsewhere ?? describeHolder(end.by)}`,
        ['its sessions live on there', `see: cis dag status ${settings.run}`],
      );
    case 'cannot-write':
      throw new CommandError(
        'failed',
        `${request.home.dir} cannot be written (${end.detail}): nothing new is started, living sessions go on`,
        [`free some space, then carry on: cis dag execute --run-id ${settings.run}`],
      );
    case 'no-host':
      throw new CommandError(
        end.error.kind === 'not-yours' ? 'refused' : 'unreachable',
        describeConnectError(end.error),
        [`then carry on: cis dag execute --run-id ${settings.run}`],
      );
  }
}

async function detach({ home, settings, flags }: DriveRequest): Promise<void> {
  await startInBackground(home, settings, { ...flags, takeover: false });
  process.stderr.write(`${settings.run} goes on in the background\n  look: cis dag status ${settings.run} --watch\n`);
}
