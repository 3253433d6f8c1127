import { parseDid, tameText } from '../domain/fleet/did.ts';
import type { AgentFact, Gpu, Heartbeat } from '../domain/fleet/facts.ts';
import type { RunId, TaskId } from '../domain/ids.ts';
import { err, ok, type Result } from '../domain/result.ts';
import type { MachineContent } from '../matrix/events/index.ts';

export type HeartbeatContent = Omit<MachineContent<'cis.node.heartbeat'>, 'v' | 'signature'>;

/** What others are told: facts, load, mood and the leases held. `at` is the node's own clock, for people; nothing is decided by it. */
export function heartbeatContent({ facts, load, mood, leases }: Heartbeat, at: number): HeartbeatContent {
  const { machine } = facts;
  return {
    at,
    node: facts.node,
    did: facts.did,
    user_id: facts.userId,
    device_id: facts.deviceId,
    seal_key: facts.sealKey,
    version: facts.version,
    machine: {
      os: machine.os,
      arch: machine.arch,
      cores: machine.cores,
      memory_mb: machine.memoryMb,
      gpus: machine.gpus.map(({ vendor, name, memoryMb }) => ({ vendor, name, memory_mb: memoryMb })),
    },
    agents: facts.agents.map(({ name, version, login }) => ({ name, login, ...(version === null ? {} : { version }) })),
    models: facts.models.map(({ kind, url, models }) => ({ kind, url, models: [...models] })),
    labels: { ...facts.labels },
    features: [...facts.features],
    tier: facts.tier,
    slots: facts.slots,
    slots_free: load.slotsFree,
    load_centi: load.loadCenti,
    memory_free_mb: load.memoryFreeMb,
    disk_free_mb: load.diskFreeMb,
    unable: [...mood.unable],
    draining: mood.draining,
    leases: leases.map(({ run, task, attempt, epoch }) => ({ run_id: run, task_id: task, attempt, epoch })),
  };
}

/** The heartbeat of a content that fits the schema (`readMachineEvent`); its signature is checked elsewhere. */
export function readHeartbeat(content: MachineContent<'cis.node.heartbeat'>): Result<Heartbeat, string> {
  const did = parseDid(content.did);
  if (!did.ok) return did;
  if (content.signature !== undefined && content.signature.did !== content.did) {
    return err(`it speaks of ${content.did} and is signed by ${content.signature.did}`);
  }
  const { machine } = content;
  const tame = (text: string): string => tameText(text);
  return ok({
    facts: {
      node: tame(content.node),
      did: did.value,
      userId: content.user_id,
      deviceId: content.device_id,
      sealKey: content.seal_key,
      version: tame(content.version),
      machine: {
        os: tame(machine.os),
        arch: tame(machine.arch),
        cores: machine.cores,
        memoryMb: machine.memory_mb,
        gpus: machine.gpus.map(({ vendor, name, memory_mb }): Gpu => ({
          vendor,
          name: tame(name),
          memoryMb: memory_mb,
        })),
      },
      agents: content.agents.map(({ name, version, login }): AgentFact => {
        return { name: tame(name), version: version === undefined ? null : tame(version), login };
      }),
      models: content.models.map(({ kind, url, models }) => ({ kind, url: tame(url), models: models.map(tame) })),
      labels: Object.fromEntries(Object.entries(content.labels).map(([name, value]) => [tame(name), tame(value)])),
      features: content.features.map(tame),
      tier: content.tier,
      slots: content.slots,
    },
    load: {
      slotsFree: content.slots_free,
      loadCenti: content.load_centi,
      memoryFreeMb: content.memory_free_mb,
      diskFreeMb: content.disk_free_mb,
    },
    mood: { unable: content.unable.map(tame), draining: content.draining },
    leases: content.leases.map(({ run_id, task_id, attempt, epoch }) => {
      return { run: run_id as RunId, task: task_id as TaskId, attempt, epoch };
    }),
  });
}
