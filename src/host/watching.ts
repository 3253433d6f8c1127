import type { Session } from './session.ts';
import type { Watch, WatchPorts } from './watch.ts';

/**
 * A session is watched from this age on. Most sessions of a DAG of short commands never get there: for them no screen is built, no
 * rule is read and the monitor is not even loaded.
 */
const grownMs = 400;

/** Gives sessions to the monitor when they are old enough to wait for somebody. */
export class Watching {
  readonly #ports: WatchPorts;
  #young: Session[] = [];
  #timer: NodeJS.Timeout | null = null;
  #watch: Watch | null = null;
  #loading: Promise<Watch> | null = null;

  constructor(ports: WatchPorts) {
    this.#ports = ports;
  }

  add(session: Session): void {
    this.#young.push(session);
    this.#growSoon();
  }

  /** The session wrote something. */
  changed(session: Session): void {
    this.#watch?.changed(session);
  }

  /** Called before the end of the session is written down. */
  ending(session: Session): void {
    this.#watch?.ending(session);
  }

  forget(session: Session): void {
    this.#watch?.forget(session);
  }

  /** The monitor, with this session in it: somebody asks about it, or its hook has spoken. */
  async of(session: Session): Promise<Watch> {
    const watch = await this.#load();
    if (session.isAlive) watch.add(session);
    return watch;
  }

  #growSoon(): void {
    const [oldest] = this.#young;
    if (oldest === undefined || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.#grow(), Math.max(0, oldest.startedAt + grownMs - Date.now()));
  }

  async #grow(): Promise<void> {
    const now = Date.now();
    const stillYoung = this.#young.findIndex((session) => session.startedAt + grownMs > now);
    const grown = this.#young.splice(0, stillYoung === -1 ? this.#young.length : stillYoung);
    const alive = grown.filter((session) => session.isAlive);
    if (alive.length > 0) {
      const watch = await this.#load();
      for (const session of alive) if (session.isAlive) watch.add(session);
    }
    this.#timer = null;
    this.#growSoon();
  }

  async #load(): Promise<Watch> {
    this.#loading ??= import('./watch.ts').then(({ Watch }) => new Watch(this.#ports));
    this.#watch = await this.#loading;
    return this.#watch;
  }
}
