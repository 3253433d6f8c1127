import { fixture } from '../../support/sessions.ts';
import type { Random } from './random.ts';

export const taskCount = 60;
/** Of them, whose loss a person must judge. */
const delicateCount = 10;

/** `[agents.auditor]` for every config of a fleet. */
export const auditor = `[agents.auditor]\noneshot = ["/bin/sh", "${fixture('audits.sh')}", "0.3", "{{ prompt }}"]\n`;

/** Six layers of ten tasks, agents and commands mixed; every task depends on one or two of the layer before. */
export function chaosDag(random: Random, audit: string): string {
  const delicate = new Set<number>();
  while (delicate.size < delicateCount) delicate.add(random.between(0, taskCount - 1));
  const tasks = Array.from({ length: taskCount }, (_, index) => {
    const layer = Math.floor(index / 10);
    const deps = new Set(layer === 0 ? [] : [1, 2].map(() => `t${(layer - 1) * 10 + random.between(0, 9)}`));
    const seconds = (0.05 + random.next() * 0.9).toFixed(2);
    return [
      '[[dag.tasks]]',
      `id = "t${index}"`,
      random.next() < 0.3
        ? 'agent = "auditor"\nmode = "oneshot"\nprompt = "do your part"'
        : `command = "sh ${fixture('audits.sh')} ${seconds}"`,
      `deps = ${JSON.stringify([...deps])}`,
      `idempotent = ${!delicate.has(index)}`,
    ].join('\n');
  });
  return `[dag]\nname = "chaos"\nmax_workers = 12\n[dag.env]\nAUDIT = ${JSON.stringify(audit)}\n\n${tasks.join('\n\n')}\n`;
}
