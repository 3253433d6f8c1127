import type { Did } from '../../domain/fleet/did.ts';
import type { TaskOrder } from '../../domain/fleet/order.ts';
import { describeRefusal, type NodePolicy, type PolicyQuestion } from '../../domain/fleet/policy.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { agentOf } from '../../domain/run.ts';
import { judgeOrder } from '../policy.ts';
import type { Refused } from '../runner/execution.ts';

/** What the policy is asked about an order: all that decides what runs here, and as what. */
export function questionOf({ task, dag, defaultAgent }: TaskOrder, coordinator: Did): PolicyQuestion {
  return {
    action: task.action,
    agent: agentOf({ dag, defaultAgent }, task),
    rollback: task.rollback,
    env: { ...dag.env, ...task.env },
    dir: task.workDir ?? null,
    answersOf: task.answers.length === 0 ? null : coordinator,
  };
}

/** Judges orders by a policy. A coordinator of this very home is its owner, who may do here what he likes. */
export function judgeOrderOf(
  policy: NodePolicy,
  ownDid: Did,
): (order: TaskOrder, coordinator: Did) => Result<null, Refused> {
  return (order, coordinator) => {
    if (coordinator === ownDid) return ok(null);
    const judged = judgeOrder(policy, questionOf(order, coordinator));
    return judged.ok ? ok(null) : err({ errorClass: 'policy', reason: describeRefusal(judged.error) });
  };
}
