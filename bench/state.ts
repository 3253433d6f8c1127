import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { time, type CommandLine } from './process.ts';
import type { Measurement, Section, Target } from './report.ts';
import * as shapes from './shapes.ts';
import { pairedRatio } from './statistics.ts';
import { cis, ensureHost, floorProgram, has, node, stopHost, timeCis, write, type World } from './world.ts';

/** What the database costs: commits per task, and a task beside 10,000 runs that have ended. */
export async function benchState(world: World): Promise<Section> {
  const commits = await benchCommits(world);
  const history = world.withCis ? await benchHistory(world) : null;
  return {
    measurements: [...commits.measurements, ...(history?.measurements ?? [])],
    targets: [...commits.targets, ...(history?.targets ?? [])],
    notes: [...commits.notes, ...(history?.notes ?? [])],
  };
}

const commitBench = 'commits per task';

/**
 * Counts what the kernel sees: with synchronous=FULL each commit is one fdatasync of the write-ahead log. A chain shows the most,
 * because nothing in it happens in the same turn as something else.
 */
async function benchCommits(world: World): Promise<Section> {
  if (!has('strace'))
    return { measurements: [], targets: [], notes: ['strace is not installed: commits are not counted.'] };
  const measurements: Measurement[] = [];
  const targets: Target[] = [];
  for (const shape of [shapes.chain100, shapes.wide200]) {
    world.progress(`commits per task: ${shape.name}`);
    const what = shape.name;
    const dir = join(world.dir, 'floor-commits');
    rmSync(dir, { recursive: true, force: true });
    const dag = write(world, 'floor.json', shapes.renderForFloor(shape));
    const floor = await countCommits(world, node(world, [floorProgram('floor'), dag, dir]), shape);
    measurements.push({ bench: commitBench, who: 'floor', what, unit: '', values: [floor] });
    if (!world.withCis) continue;
    await ensureHost(world);
    const file = write(world, 'commits.toml', shapes.renderForCis(shape));
    const ours = await countCommits(world, cis(world, ['dag', 'run', file]), shape);
    measurements.push({ bench: commitBench, who: 'cis', what, unit: '', values: [ours] });
    targets.push({ bench: commitBench, text: `cis, ${what}`, measured: ours, limit: 3, sense: 'at most', unit: '' });
  }
  return { measurements, targets, notes: [] };
}

async function countCommits(world: World, line: CommandLine, shape: shapes.Shape): Promise<number> {
  const log = join(world.dir, 'strace.log');
  await time({
    ...line,
    file: 'strace',
    args: ['-f', '-qq', '-y', '-e', 'trace=fdatasync,fsync', '-o', log, line.file, ...line.args],
  });
  const synced = readFileSync(log, 'utf8').match(/(?:fdatasync|fsync)\(\d+<[^>]*-wal>/g) ?? [];
  return synced.length / shape.tasks.length;
}

const historyBench = '10,000 finished runs';

/** Two homes take turns, one young and one with many runs that have ended: what else the machine does hits both. */
async function benchHistory(world: World): Promise<Section> {
  const shape = shapes.wide200;
  const file = write(world, 'history.toml', shapes.renderForCis(shape));
  const small = write(world, 'model.toml', shapes.renderForCis({ name: 'model', tasks: shapes.wide(3) }));
  const old: World = { ...world, env: { ...world.env, CIS_HOME: join(world.dir, 'old-home') } };
  mkdirSync(old.env['CIS_HOME'] ?? '', { mode: 0o700 });
  cpSync(join(world.env['CIS_HOME'] ?? '', 'config.toml'), join(old.env['CIS_HOME'] ?? '', 'config.toml'));
  await ensureHost(old);
  try {
    await time(cis(old, ['dag', 'run', small, '--run-id', 'history-model']));
    const added = multiplyRun(join(old.env['CIS_HOME'] ?? '', 'cis.db'), 'history-model', 10_000);
    const few: number[] = [];
    const many: number[] = [];
    for (let round = 0; round <= world.rounds; round++) {
      for (const [place, into] of [[world, few] as const, [old, many] as const]) {
        world.progress(`a task in a young home and beside ${added} finished runs: round ${round} of ${world.rounds}`);
        await ensureHost(place);
        const { wallMs } = await timeCis(place, ['dag', 'run', file]);
        if (round > 0) into.push(wallMs / shape.tasks.length);
      }
    }
    return describeHistory(few, many, added);
  } finally {
    await stopHost(old);
  }
}

function describeHistory(few: readonly number[], many: readonly number[], added: number): Section {
  const row = { bench: historyBench, who: 'cis', unit: 'ms' } as const;
  return {
    measurements: [
      { ...row, what: 'a task of wide-200, before', values: few },
      { ...row, what: `a task of wide-200, with ${added} runs more`, values: many },
    ],
    targets: [
      {
        bench: historyBench,
        text: 'cost of a task, with ÷ before',
        measured: pairedRatio(many, few),
        limit: 1.05,
        sense: 'at most',
        unit: '×',
      },
    ],
    notes: [],
  };
}

/** Copies all rows of one run under new ids, so that the database looks as if it had run as often. Returns how many were added. */
function multiplyRun(path: string, run: string, times: number): number {
  using db = disposable(new Database(path));
  const tables = db.value
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'")
    .pluck()
    .all();
  const copies = (tables as string[]).flatMap((table) => copyStatement(db.value, table));
  db.value.transaction(() => {
    for (let index = 0; index < times; index++) {
      for (const copy of copies) db.value.prepare(copy).run({ run, copy: `${run}-${index}` });
    }
  })();
  return times;
}

function copyStatement(db: Database.Database, table: string): string[] {
  const columns = db.prepare('SELECT name FROM pragma_table_info(?) WHERE NOT (pk = 1 AND type = ?)').pluck();
  const names = columns.all(table, 'INTEGER') as string[];
  const key = table === 'runs' ? 'id' : 'run_id';
  if (!names.includes(key)) return [];
  const values = names.map((name) => (name === key ? '@copy' : name));
  return [`INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM ${table} WHERE ${key} = @run`];
}

function disposable(db: Database.Database): Disposable & { readonly value: Database.Database } {
  return { value: db, [Symbol.dispose]: () => void db.close() };
}
