/** Machine events that only a coordinator or node may send: they need power level 50 in rooms that cis makes. */
export const guardedTypes = [
  'cis.dag.run.created',
  'cis.dag.run.started',
  'cis.dag.run.paused',
  'cis.dag.run.resumed',
  'cis.dag.run.mode',
  'cis.dag.run.completed',
  'cis.dag.run.failed',
  'cis.dag.run.aborted',
  'cis.dag.task.assigned',
  'cis.dag.task.granted',
] as const;
