import type { Condition } from './condition.ts';
import type { TaskId } from './ids.ts';

/**
 * A DAG that was checked: ids unique, dependencies known, no cycle, matrix tasks expanded, every default filled in.
 * Only `dagfile/` makes one; it is plain JSON, so a run keeps it as it was when it started.
 */
export interface Dag {
  readonly name: string;
  readonly description?: string;
  readonly version?: string;
  readonly author?: string;
  readonly scope?: string;
  readonly todo: readonly Todo[];
  readonly policy: Policy;
  /** Sessions at once. Absent: the file does not say. */
  readonly maxWorkers?: number;
  /** Of tasks that name none, when neither `--agent` nor the environment says otherwise. */
  readonly defaultAgent?: string;
  /** Absolute. The directory `cis` was called in unless the file says otherwise. */
  readonly workDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly matrix: MatrixSettings;
  /** Values of `{{ var.K }}` that the file itself gives; `--var` beats them. */
  readonly vars?: Readonly<Record<string, string>>;
  /** As the file writes it, when it does; tasks without a priority of their own have it as a number. */
  readonly priority?: string;
  readonly tags?: readonly string[];
  /** `auto_attach_on_block`: a `dag run` on a terminal attaches to a session that blocks. */
  readonly autoAttachOnBlock?: boolean;
  readonly tasks: readonly Task[];
}

export type Policy = 'all_success' | 'first_success' | 'allow_debt' | 'continue_until_blocking';

export interface Todo {
  readonly text: string;
  readonly [key: string]: unknown;
}

export interface Task {
  readonly id: TaskId;
  readonly name: string;
  readonly action: Action;
  readonly deps: readonly TaskId[];
  readonly level: Level;
  readonly retry: Retry;
  /** Higher first among ready tasks; ties go by place in the file. */
  readonly priority: number;
  readonly timeoutMs?: number;
  readonly timeoutCountsBlocked: boolean;
  readonly condition?: Condition;
  readonly onFailure?: OnFailure;
  /** Set on the task named by another's `on_failure = "TASK_ID"`: it runs if and only if that one fails. */
  readonly rescues?: TaskId;
  readonly rollback: readonly string[];
  readonly idempotent: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, when the file names one. */
  readonly workDir?: string;
  readonly outputs: readonly string[];
  readonly context: 'deps' | 'ancestors' | 'none';
  /** Bytes of upstream output a prompt shows per dependency. */
  readonly contextLimit: number;
  readonly workspace: 'shared' | 'worktree';
  readonly keepAgent: boolean;
  readonly reuseAgent?: TaskId;
  readonly onBlocked: BlockedPolicy;
  readonly answers: readonly AnswerRule[];
  readonly placement: Placement;
  readonly description?: string;
  /** The skill that gave (or, when it is unknown, would give) what the task does. */
  readonly skill?: { readonly name: string; readonly known: boolean };
  /** The task of the file that this one was expanded from, and its values. */
  readonly matrix?: { readonly of: TaskId; readonly values: Readonly<Record<string, string>> };
}

export type Action =
  | { readonly kind: 'command'; readonly command: string; readonly shell: string }
  | {
      readonly kind: 'agent';
      /** Absent: the default agent of the run. */
      readonly agent?: string;
      readonly prompt: string;
      readonly mode?: AgentMode;
      readonly config: AgentConfig;
    };

export type AgentMode = 'oneshot' | 'interactive';

export interface AgentConfig {
  readonly model?: string;
  readonly providerType?: string;
  readonly baseUrl?: string;
  /** A number in the file; text here, because Matrix events carry no floats. */
  readonly temperature?: string;
  readonly maxTokens?: number;
  readonly timeoutMs?: number;
  readonly permissionMode?: string;
  readonly systemPrompt?: string;
  /** The name of an environment variable, never a key. */
  readonly apiKeyEnv?: string;
}

export type Level =
  | { readonly kind: 'mechanical' }
  | { readonly kind: 'recommended'; readonly timeoutMs: number; readonly defaultAction: 'execute' | 'skip' | 'abort' }
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'arbitrated'; readonly stakeholders: readonly string[] };

export interface Retry {
  /** Further attempts after the first. */
  readonly max: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly on: readonly RetryCause[];
}

export type RetryCause = 'failure' | 'timeout' | 'lost';

export type OnFailure = 'fail' | 'skip_dependents' | 'ignore' | 'ask' | { readonly rescue: TaskId };

export interface BlockedPolicy {
  /** Absent: waits for ever. */
  readonly timeoutMs?: number;
  readonly then: 'wait' | 'skip' | 'fail';
  readonly releaseSlot: boolean;
  readonly onRateLimit: 'block' | 'wait';
}

export interface AnswerRule {
  readonly name: string;
  readonly agent?: string;
  readonly kind?: string;
  readonly match: string;
  readonly choose: string;
  readonly maxTimes: number;
}

/** Where a task may run; only matrix mode acts on it. */
export interface Placement {
  readonly targetNode?: string;
  readonly selector?: NodeSelector;
  readonly tier?: 0 | 1 | 2;
  readonly tierFallback: 'graceful' | 'strict';
  readonly preferLocal: boolean;
  readonly needs: readonly string[];
}

export interface NodeSelector {
  readonly arch?: string;
  readonly os?: string;
  readonly features: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly minResources: Readonly<Record<string, number>>;
}

export interface MatrixSettings {
  readonly room?: string;
  readonly encrypted: boolean;
  readonly sensitive: boolean;
  readonly broadcastOutput?: boolean;
}
