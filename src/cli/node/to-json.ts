import type { HeldLease, KnownNode, NodeLoad } from '../../domain/fleet/facts.ts';
import type { Detected } from '../../federation/detect/detect.ts';

/** What a machine is, as `--json` has it everywhere. */
export function factsToJson(facts: Detected): object {
  const { machine } = facts;
  return {
    node: facts.node,
    version: facts.version,
    os: machine.os,
    arch: machine.arch,
    cores: machine.cores,
    memory_mb: machine.memoryMb,
    gpus: machine.gpus.map(({ vendor, name, memoryMb }) => ({ vendor, name, memory_mb: memoryMb })),
    agents: facts.agents,
    models: facts.models,
    labels: facts.labels,
    features: facts.features,
    tier: facts.tier,
    slots: facts.slots,
  };
}

export function loadToJson({ slotsFree, loadCenti, memoryFreeMb, diskFreeMb }: NodeLoad): object {
  return {
    slots_free: slotsFree,
    load: loadCenti / 100,
    memory_free_mb: memoryFreeMb,
    disk_free_mb: diskFreeMb,
  };
}

export function leaseToJson({ run, task, attempt, epoch }: HeldLease): object {
  return { run_id: run, task_id: task, attempt, epoch };
}

export function nodeToJson(node: KnownNode): object {
  const { facts } = node;
  return {
    did: facts.did,
    user_id: facts.userId,
    device_id: facts.deviceId,
    ...factsToJson(facts),
    load: loadToJson(node.load),
    draining: node.mood.draining,
    unable: node.mood.unable,
    leases: node.leases.map(leaseToJson),
    heard_at: node.heardAt,
    latency_ms: node.latencyMs,
  };
}
