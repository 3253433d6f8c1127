import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  machineCategory,
  machineTypes,
  readMachineEvent,
  schemasByCategory,
  writeMachineEvent,
  type MachineContent,
  type MachineType,
} from '../../src/matrix/events/index.ts';

const at = 1_700_000_000_000;
const run = { run_id: 'brave-otter-4f2a', at };
const attempt = { ...run, task_id: 'build', attempt: 1 };
const grant = { task_id: 'build', attempt: 1, epoch: 2_000_001 };
const node = { node: 'laptop-b', did: 'did:key:z6Mkb' };
const coordinator = { user_id: '@cis:example.org', device_id: 'DEVICE', did: 'did:key:z6Mk' };
const sha256 = 'ab'.repeat(32);

/** One of each, with every field that is needed and some that are not. */
const examples: { readonly [Type in MachineType]: Omit<MachineContent<Type>, 'v'> } = {
  'cis.dag.run.created': {
    ...run,
    dag_name: 'refactor',
    dag_json: '{"tasks":[]}',
    dag_sha256: sha256,
    mode: 'hybrid',
    tasks: 3,
    coordinator,
    epoch: 1,
  },
  'cis.dag.run.started': { ...run, epoch: 1 },
  'cis.dag.run.paused': { ...run, by: 'anna' },
  'cis.dag.run.resumed': { ...run, by: 'anna' },
  'cis.dag.run.mode': { ...run, mode: 'local', room_id: null },
  'cis.dag.run.completed': { ...run, debts: 0, started_at: at },
  'cis.dag.run.failed': { ...run, reason: 'build failed' },
  'cis.dag.run.aborted': { ...run, reason: 'by anna' },
  'cis.dag.task.status': {
    ...run,
    tasks: [{ task_id: 'build', attempt: 1, status: 'completed', exit_code: 0, session_id: 'brave-otter-4f2a:build' }],
    progress: { total: 3, completed: 1, failed: 0, running: 1, blocked: 0, skipped: 0 },
  },
  'cis.dag.task.assigned': {
    ...run,
    epoch_base: 2_000_000,
    coordinator,
    assignments: [{ ...grant, to: '*', order: '{"task":{"id":"build"}}' }],
  },
  'cis.dag.task.claimed': { at, ...node, claims: [{ ...grant, run_id: run.run_id, load_centi: 40, slots_free: 2 }] },
  'cis.dag.task.granted': {
    ...run,
    epoch_base: 2_000_000,
    grants: [{ ...grant, of: 2_000_001, epoch: 2_000_002, to: node.did, lease_ms: 120_000 }],
  },
  'cis.dag.task.released': {
    at,
    by: 'node',
    ...node,
    releases: [{ ...grant, run_id: run.run_id, reason: 'draining', error_class: 'policy' }],
  },
  'cis.dag.task.result': {
    at,
    ...node,
    results: [
      {
        ...grant,
        run_id: run.run_id,
        end: '{"kind":"exited","code":0}',
        exit_code: 0,
        output_media: { mxc: 'mxc://example.org/abc', sha256, bytes: 50_000 },
        output_summary: { bytes: 50_000, cut_from: null, source: 'file' },
        files: [{ path: 'dist/a.js', bytes: 3, sha256 }],
      },
    ],
  },
  'cis.dag.session.blocked': {
    ...attempt,
    block_id: 'brave-otter-4f2a:build!1',
    kind: 'approval',
    question: 'Run rm -rf build?',
    choices: [{ label: 'Yes', key: '1' }, { label: 'No' }],
    selected: 0,
  },
  'cis.dag.session.recovered': { at, block_id: 'brave-otter-4f2a:build!1', by: '@anna:example.org', via: 'room' },
  'cis.node.heartbeat': {
    at,
    node: 'laptop-b',
    did: 'did:key:z6Mk',
    user_id: '@cis:example.org',
    device_id: 'DEVICE',
    seal_key: 'c2VhbA',
    version: '0.1.0',
    machine: {
      os: 'linux',
      arch: 'x64',
      cores: 8,
      memory_mb: 32_000,
      gpus: [{ vendor: 'nvidia', name: 'A100', memory_mb: 40_960 }],
    },
    agents: [{ name: 'claude', version: '2.0', login: 'yes' }],
    models: [{ kind: 'ollama', url: 'http://127.0.0.1:11434', models: ['llama3:latest'] }],
    labels: { gpu: 'none' },
    features: ['git'],
    tier: 1,
    slots: 4,
    slots_free: 3,
    load_centi: 125,
    memory_free_mb: 16_000,
    disk_free_mb: 100_000,
    unable: [],
    draining: false,
    leases: [{ run_id: 'brave-otter-4f2a', task_id: 'build', attempt: 1, epoch: 3 }],
  },
  'cis.node.dag.active': {
    at,
    node: 'laptop-b',
    runs: [{ run_id: 'brave-otter-4f2a', dag_name: 'refactor', epoch: 1 }],
  },
};

test.each(machineTypes)('%s comes back from a room as it was written', (type) => {
  const written = writeMachineEvent(type, examples[type]);
  if (!written.ok) throw new Error(written.error);
  const read = readMachineEvent(type, JSON.parse(JSON.stringify(written.value)));
  expect(read).toEqual({ ok: true, value: { event: { type, content: { v: 1, ...examples[type] } }, warning: null } });
});

test('every type has exactly one category, which stands in its name', () => {
  const all = Object.values(schemasByCategory).flatMap((schemas) => Object.keys(schemas));
  expect(all.toSorted()).toEqual([...machineTypes].toSorted());
  for (const type of machineTypes) {
    const word = machineCategory(type);
    expect(type).toMatch(word === 'node' ? /^cis\.node\./ : new RegExp(`^cis\\.dag\\.${word}\\.`));
  }
});

test('a field that is not known is ignored, and content of a newer version is read with a warning', () => {
  const read = readMachineEvent('cis.dag.run.paused', { v: 2, ...examples['cis.dag.run.paused'], mood: 'calm' });
  expect(read).toEqual({
    ok: true,
    value: {
      event: { type: 'cis.dag.run.paused', content: { v: 2, ...examples['cis.dag.run.paused'] } },
      warning: 'cis.dag.run.paused was written by a newer cis (version 2; this cis knows 1: upgrade it)',
    },
  });
});

test('what does not fit is refused with its place, and never throws', () => {
  expect(readMachineEvent('cis.dag.run.started', { v: 1, at, run_id: 'x', epoch: 1.5 })).toMatchObject({ ok: false });
  expect(readMachineEvent('cis.dag.task.granted', { v: 1 })).toEqual({
    ok: false,
    error: 'cis.dag.task.granted: at: Invalid key: Expected "at" but received undefined',
  });
  const anything = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(fc.constantFrom(...machineTypes), anything, (type, content) => {
      expect(readMachineEvent(type, content)).toHaveProperty('ok');
    }),
  );
});

test('an output too large for an event is not written', () => {
  const large = { ...examples['cis.dag.task.result'], output: 'x'.repeat(41_000) };
  expect(writeMachineEvent('cis.dag.task.result', large)).toMatchObject({ ok: false });
});
