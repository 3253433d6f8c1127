import { isDiskTrouble } from '../../executor/disk-trouble.ts';
import { followFleetRoom } from '../../storage/fleet.ts';
import { listNodeRuns, listOpenWork, pruneNodeWork } from '../../storage/node-work.ts';
import { watchCommits } from '../../storage/tail.ts';
import { openWork } from './work.ts';
import { Bench, type NodeOptions } from './bench.ts';
import { Hearing, reader } from './hearing.ts';
import { Sessions } from './sessions.ts';
import { Teller } from './teller.ts';

export type { NodeOptions, NodeWords } from './bench.ts';

const leaseLookMs = 2_000;
const writeAgainMs = 2_000;
const keepForMs = 14 * 24 * 3600_000;

/** Makes this home a node of a room until the signal; its sessions live on, and the next start takes them over. */
export async function runNode(options: NodeOptions): Promise<void> {
  await new NodeRunner(options).run();
}

class NodeRunner {
  readonly #bench: Bench;
  readonly #sessions: Sessions;
  readonly #teller: Teller;
  readonly #hearing: Hearing;
  readonly #end = Promise.withResolvers<void>();
  #turn: NodeJS.Immediate | null = null;

  constructor(options: NodeOptions) {
    this.#bench = new Bench(
      options,
      () => this.#wake(),
      (error) => this.#fail(error),
    );
    this.#sessions = new Sessions(this.#bench);
    this.#teller = new Teller(this.#bench);
    this.#hearing = new Hearing(this.#bench, this.#sessions, this.#teller);
  }

  async run(): Promise<void> {
    const { db, home, room, signal } = this.#bench.options;
    if (signal.aborted) return;
    followFleetRoom(db, reader, room);
    pruneNodeWork(db, Date.now() - keepForMs);
    this.#load();
    signal.addEventListener('abort', () => this.#end.resolve(), { once: true });
    using _ = watchCommits(db, home.database, () => {
      this.#wake();
      this.#teller.lookForDrain();
    });
    const leases = setInterval(() => this.#sessions.endSilent(), leaseLookMs);
    this.#sessions.open();
    this.#teller.beat();
    this.#wake();
    try {
      await this.#end.promise;
    } finally {
      this.#bench.isOver = true;
      clearInterval(leases);
      if (this.#turn !== null) clearImmediate(this.#turn);
      this.#teller[Symbol.dispose]();
      this.#sessions[Symbol.dispose]();
    }
  }

  #load(): void {
    const { options, runs, works } = this.#bench;
    const tick = performance.now();
    for (const run of listNodeRuns(options.db)) runs.set(run.run, { ...run, heardTick: tick });
    for (const row of listOpenWork(options.db)) {
      if (row.place !== null) works.set(row.session, openWork({ ...row, place: row.place }, tick));
    }
  }

  #fail(error: unknown): void {
    this.#bench.isOver = true;
    this.#end.reject(error);
  }

  #wake(): void {
    if (this.#bench.isOver) return;
    this.#turn ??= setImmediate(() => {
      this.#turn = null;
      try {
        this.#runTurn();
      } catch (error) {
        if (isDiskTrouble(error)) this.#beginAnew(error);
        else this.#fail(error);
      }
    });
  }

  /** Nothing of the turn was written: what is on disk counts, and is read again once the disk may have room. */
  #beginAnew(error: Error): void {
    this.#bench.options.say(`this home cannot be written (${error.message}): tried again in a while`);
    this.#turn = setImmediate(() => {}); // no turns meanwhile
    setTimeout(() => {
      this.#turn = null;
      this.#bench.clear();
      this.#load();
      this.#sessions.reopen();
      this.#wake();
    }, writeAgainMs).unref();
  }

  /** One turn: all that came in, what follows from it, and what is to be told, in one transaction; then it is done. */
  #runTurn(): void {
    const { options, arrivals, afterwards } = this.#bench;
    this.#bench.lookAgain();
    const turn = options.db.transaction(() => {
      this.#hearing.takeEvents();
      this.#hearing.takeMessages();
      this.#sessions.takeJournal();
      for (const take of arrivals.splice(0)) take();
      this.#sessions.startHeld();
      this.#teller.flush();
    });
    turn.immediate();
    for (const act of afterwards.splice(0)) act();
  }
}
