import type { TaskId } from './ids.ts';

/** A checked `condition`: what a task's upstream results must be for it to run. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly left: Operand; readonly right: Operand };

export type CompareOp = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'contains' | 'matches';

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'task'; readonly task: TaskId; readonly field: 'exit_code' | 'output' | 'status' | 'attempts' }
  | { readonly kind: 'env' | 'var'; readonly name: string };
