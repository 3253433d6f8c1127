import type { Dag, Task } from '../../domain/dag.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { matchesRedact } from '../../domain/redact.ts';

/** What of a run's environment an order carries: never more than what the file and `--var` say. */
export interface OrderEnv {
  readonly dag: Readonly<Record<string, string>>;
  readonly task: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
}

/**
 * The environment that travels with an order. Secrets are the node's own: a name that `redact` takes for a secret may not have a value
 * here, because whoever reads the room would have it. With an empty value, or without the line, the node's own variable of that
 * name counts.
 */
export function orderEnv(
  dag: Pick<Dag, 'env'>,
  task: Pick<Task, 'id' | 'env'>,
  vars: Readonly<Record<string, string>>,
  redact: readonly string[],
): Result<OrderEnv, string> {
  const places = [
    ['[dag.env]', dag.env],
    [`env of ${task.id}`, task.env],
    ['--var', vars],
  ] as const;
  for (const [place, values] of places) {
    for (const [name, value] of Object.entries(values)) {
      if (value === '' || !matchesRedact(name, redact)) continue;
      return err(
        `${name} is set by ${place} and its name is that of a secret, which is not sent to another machine: ` +
          `take it out there, and set it in the environment of the nodes that run ${task.id}`,
      );
    }
  }
  const kept = (values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== '' || !matchesRedact(name, redact)));
  return ok({ dag: kept(dag.env), task: kept(task.env), vars: kept(vars) });
}
