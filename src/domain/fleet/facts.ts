import type { RunId, TaskId } from '../ids.ts';
import type { Did } from './did.ts';

/** 0: as good as nothing but commands · 1: an ordinary machine · 2: one that runs models itself. */
export type Tier = 0 | 1 | 2;

/** What a machine is. Changes seldom: said in the room when the node joins and when something of it changes. */
export interface NodeFacts {
  /** How its user calls it; two nodes may have one name, never one did. */
  readonly node: string;
  readonly did: Did;
  /** The Matrix user it speaks as; its signed events count from this user only. */
  readonly userId: string;
  /** Where to-device messages reach it. */
  readonly deviceId: string;
  /** X25519, raw, base64url: what sealed messages to it are encrypted for. */
  readonly sealKey: string;
  /** Of cis. */
  readonly version: string;
  readonly machine: Machine;
  readonly agents: readonly AgentFact[];
  readonly models: readonly ModelServer[];
  /** Derived ones (`os`, `arch`, `gpu`) under those that the user gave. */
  readonly labels: Readonly<Record<string, string>>;
  /** Words for `features` and `needs`: `gpu`, `ollama`, `git`, … */
  readonly features: readonly string[];
  readonly tier: Tier;
  /** Sessions at once. */
  readonly slots: number;
}

export interface Machine {
  /** As Node calls it: `linux`, `darwin`. */
  readonly os: string;
  /** `x64`, `arm64`. */
  readonly arch: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly gpus: readonly Gpu[];
}

export interface Gpu {
  readonly vendor: 'nvidia' | 'amd' | 'apple';
  readonly name: string;
  /** Null where it shares the machine's memory, or does not tell. */
  readonly memoryMb: number | null;
}

export interface AgentFact {
  readonly name: string;
  readonly version: string | null;
  /** `no`: it is installed, and nothing on the machine looks like a log-in. Whether a key is good only its provider knows. */
  readonly login: 'yes' | 'no' | 'unknown';
}

export interface ModelServer {
  readonly kind: 'ollama' | 'lmstudio' | 'openai-compatible';
  readonly url: string;
  readonly models: readonly string[];
}

/** What a node measures of itself, with every heartbeat. */
export interface NodeLoad {
  readonly slotsFree: number;
  /** Hundredths of the one-minute load average: events carry no fractions. */
  readonly loadCenti: number;
  readonly memoryFreeMb: number;
  /** Where it keeps sessions and workspaces. */
  readonly diskFreeMb: number;
}

/** An attempt that a node holds. */
export interface HeldLease {
  readonly run: RunId;
  readonly task: TaskId;
  readonly attempt: number;
  readonly epoch: number;
}

/** Why a node can or will not take work, though it is alive; empty lists: it can and will. */
export interface NodeMood {
  /** It cannot: no host, no disk. Its own words. */
  readonly unable: readonly string[];
  /** Somebody said `cis node drain`: it finishes what it has. */
  readonly draining: boolean;
}

export interface Heartbeat {
  readonly facts: NodeFacts;
  readonly load: NodeLoad;
  readonly mood: NodeMood;
  readonly leases: readonly HeldLease[];
}

/** A node as a coordinator knows it. */
export interface KnownNode extends Heartbeat {
  /** By the clock of whoever received the last heartbeat, never by the node's own. */
  readonly heardAt: number;
  /** Round trip as measured, null while nobody asked it. */
  readonly latencyMs: number | null;
}
