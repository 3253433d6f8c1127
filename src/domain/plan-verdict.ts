import type { OnFailure, Policy, Task } from './dag.ts';
import { settled } from './task.ts';
import type { RunModel, TaskNode } from './plan-model.ts';

/**
 * What a task's state means for those that depend on it: `met` lets them run, `bad` skips them, `stop` ends the run, `open`
 * is not known yet.
 */
export type Verdict = 'open' | 'met' | 'bad' | 'stop';

/** Returns what dependents make of the node; a failure stays `open` while a rescue may still mend it. */
export function verdictOf(model: Pick<RunModel, 'policy'>, node: TaskNode): Verdict {
  const { state, task } = node;
  switch (state.kind) {
    case 'completed':
      return 'met';
    case 'failed':
      if (rescueIsPending(node)) return 'open';
      if (state.debt) return task.onFailure === 'skip_dependents' ? 'bad' : 'met';
      return failureVerdict(model.policy, task.onFailure);
    case 'skipped':
      if (state.reason.kind === 'no-failure') return 'met';
      return skipsAreMet(model.policy, task.onFailure) ? 'met' : 'bad';
    default:
      return 'open';
  }
}

/** A rescue mends a failure once: until the rescuing task has ended, and while its success has not been used. */
export function rescueIsPending(node: TaskNode): boolean {
  if (node.rescuer === null || node.rescued) return false;
  const { kind } = node.rescuer.state;
  return kind === 'completed' || !settled[kind];
}

/** Says whether the failure of such a task is accepted: the run goes on as if it had not mattered. */
export function isDebt(policy: Policy, task: Task): boolean {
  return task.onFailure === 'ignore' || (policy === 'allow_debt' && task.onFailure !== 'fail');
}

function failureVerdict(policy: Policy, onFailure: OnFailure | undefined): Verdict {
  if (onFailure === 'fail') return 'stop';
  if (onFailure === 'skip_dependents') return 'bad';
  return policy === 'all_success' || policy === 'allow_debt' ? 'stop' : 'bad';
}

/** A skipped task is no failure: it ends no run, and its dependents run where its failure would have been accepted. */
function skipsAreMet(policy: Policy, onFailure: OnFailure | undefined): boolean {
  return onFailure === 'ignore' || (policy === 'allow_debt' && onFailure !== 'skip_dependents');
}
