import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openRoomRuns } from '../../src/bridge/room-runs.ts';
import { openRoomActions } from '../../src/cli/dashboard/room-actions.ts';
import type { SessionId, TaskId } from '../../src/domain/ids.ts';
import type { JsonObject } from '../../src/matrix/http.ts';
import type { RoomEvent } from '../../src/matrix/port.ts';
import { writeMachineEvent, type MachineType } from '../../src/matrix/events/index.ts';

let count = 0;
const bot = '@bot:x';

function event(type: string, content: JsonObject, sender = bot): RoomEvent {
  const eventId = `$${(count += 1)}`;
  return {
    room: '!r',
    eventId,
    sender,
    type,
    content,
    at: 1000,
    stateKey: null,
    txnId: null,
    redacts: null,
    protection: { kind: 'plain' },
  };
}

function machine(type: MachineType, content: object, sender = bot): RoomEvent {
  const written = writeMachineEvent(type, { run_id: 'r', at: 1000, ...content } as never);
  if (!written.ok) throw new Error(written.error);
  return event(type, written.value, sender);
}

const dag = {
  name: 'd',
  tasks: [{ id: 'a', deps: [] }, { id: 'b', deps: ['a'], action: { kind: 'agent', agent: 'codex' } }, { id: '../c' }],
};
const created = (sender = bot, mode = 'hybrid', epoch = 1): RoomEvent =>
  machine(
    'cis.dag.run.created',
    {
      dag_name: 'd \u001b[2J',
      dag_json: JSON.stringify(dag),
      dag_sha256: '0'.repeat(64),
      mode,
      tasks: 2,
      coordinator: { user_id: sender, device_id: 'D' },
      epoch,
    },
    sender,
  );
const none = { total: 2, completed: 0, failed: 0, running: 0, blocked: 0, skipped: 0 };
const status = (task: string, kind: string, more: object = {}, sender = bot): RoomEvent =>
  machine(
    'cis.dag.task.status',
    { tasks: [{ task_id: task, attempt: 1, status: kind, node: 'shed', ...more }], progress: { ...none, running: 1 } },
    sender,
  );

const meaning = (outcome?: string): JsonObject => ({
  v: 1,
  run_id: 'r',
  questions: [
    {
      asks: 'r:a!1',
      task_id: 'a',
      attempt: 1,
      kind: 'menu',
      question: 'May\u202e I?',
      choices: [{ label: 'Yes', answer: '1' }],
      selected: 0,
      takes_text: false,
      ...(outcome === undefined ? {} : { outcome }),
    },
  ],
});
const asks = (sender = bot): RoomEvent =>
  event('m.room.message', { msgtype: 'm.text', body: 'x', 'cis.question': meaning() }, sender);
const edits = (target: RoomEvent, outcome: string, sender = bot): RoomEvent =>
  event(
    'm.room.message',
    {
      body: '* x',
      'm.new_content': { 'cis.question': meaning(outcome) },
      'm.relates_to': { rel_type: 'm.replace', event_id: target.eventId },
    },
    sender,
  );

function folded(events: readonly RoomEvent[]) {
  const runs = openRoomRuns();
  for (const one of events) runs.apply(one);
  return runs;
}

test('a run, its tasks and its questions are read from the events of a room', () => {
  const question = asks();
  const runs = folded([
    created(),
    machine('cis.dag.run.started', { epoch: 1 }),
    status('a', 'blocked', { session_id: 'r:a' }),
    question,
  ]);
  const [run] = runs.runs();
  expect(run).toMatchObject({
    total: 2,
    running: 1,
    node: 'shed',
    picture: { dag: 'd', state: 'running', startedAt: 1000 },
  });
  expect(
    [...(run?.picture.tasks.values() ?? [])].map(({ task, kind, agent, deps }) => [task, kind, agent, deps]),
  ).toEqual([
    ['a', 'blocked', null, []],
    ['b', 'pending', 'codex', ['a']],
  ]);
  expect(runs.questions()).toMatchObject([
    { id: 'r:a!1', session: 'r:a', question: 'May I?', eventId: question.eventId },
  ]);
  runs.apply(edits(question, '@ada: Yes'));
  expect([runs.questions(), runs.outcomeOf('r:a!1')]).toEqual([[], '@ada: Yes']);
});

test('tasks of a run in matrix mode stand with their nodes; in hybrid mode all are where the run is', () => {
  const nodesOf = (mode: string) => {
    const [run] = folded([created(bot, mode), status('a', 'running')]).runs();
    return [run?.picture.mode, run?.picture.tasks.get('a' as TaskId)?.node];
  };
  expect(nodesOf('matrix')).toEqual(['matrix', 'shed']);
  expect(nodesOf('hybrid')).toEqual(['hybrid', null]);
});

test('of a session in a room it is said on which node it runs, whichever spoke last', async () => {
  const [run] = folded([
    created(bot, 'matrix'),
    status('a', 'running', { session_id: 'r:a' }),
    status('b', 'running', { node: 'attic' }),
  ]).runs();
  const actions = openRoomActions(null as never, () => ({ run: () => run }) as never);
  const said = actions.readHistory('r:a' as SessionId);
  expect(said).toContain('It runs on shed; its output stays there: cis dag logs r:a');
});

test('only who announced a run is believed about it', () => {
  const question = asks();
  const mallory = '@mallory:x';
  const runs = folded([
    created(),
    question,
    status('a', 'completed', {}, mallory),
    machine('cis.dag.run.completed', { debts: 0 }, mallory),
    created(mallory),
    asks(mallory),
    edits(question, 'all is well', mallory),
  ]);
  expect(runs.runs()).toMatchObject([{ picture: { state: 'running' }, settled: 0 }]);
  expect(runs.questions()).toMatchObject([{ eventId: question.eventId }]);
});

test('of a run that another account took over, that account is believed from then on', () => {
  const heir = '@heir:x';
  const question = asks(heir);
  const runs = folded([
    created(bot, 'matrix'),
    asks(),
    created(heir, 'matrix', 2),
    status('a', 'failed'),
    status('a', 'blocked', { node: 'attic' }, heir),
    question,
    created(bot, 'matrix'),
    machine('cis.dag.run.aborted', { reason: 'I thought it was mine' }),
  ]);
  expect(runs.runs()).toMatchObject([{ picture: { state: 'running' } }]);
  expect(runs.runs()[0]?.picture.tasks.get('a' as TaskId)).toMatchObject({ kind: 'blocked', node: 'attic' });
  expect(runs.questions()).toMatchObject([{ eventId: question.eventId }]);
  const hybrid = folded([created(), created(heir, 'matrix', 2), asks(heir)]);
  expect(hybrid.questions()).toEqual([]);
});

test('a run that ended, or left the room, asks nothing any more', () => {
  expect(folded([created(), asks(), machine('cis.dag.run.failed', { reason: 'r' })]).questions()).toEqual([]);
  const left = folded([created(), asks(), machine('cis.dag.run.mode', { mode: 'local', room_id: null })]);
  expect([left.questions(), left.runs()]).toEqual([[], []]);
});

test('whatever a room holds, nothing throws', () => {
  const json = fc.object({
    key: fc.constantFrom(
      'run_id',
      'questions',
      'asks',
      'task_id',
      'cis.question',
      'm.new_content',
      'm.relates_to',
      'dag_json',
      'x',
    ),
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('m.room.message', 'cis.dag.run.created', 'cis.dag.task.status', 'x'), json)),
      (all) => {
        const runs = folded(all.map(([type, content]) => event(type, content as JsonObject)));
        runs.runs();
        runs.questions();
      },
    ),
  );
});
