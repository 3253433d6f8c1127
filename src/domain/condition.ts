import type { TaskId } from './ids.ts';
import { unreachable } from './unreachable.ts';

/** A checked `condition`: what a task's upstream results must be for it to run. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly left: Operand; readonly right: Operand };

export type CompareOp = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'contains' | 'matches';

export type TaskField = 'exit_code' | 'output' | 'status' | 'attempts';

export type Operand =
  | { readonly kind: 'literal'; readonly value: Scalar }
  | { readonly kind: 'task'; readonly task: TaskId; readonly field: TaskField }
  | { readonly kind: 'env' | 'var'; readonly name: string };

export type Scalar = string | number | boolean;

/** What a condition asks of the run; null is "there is none", which equals nothing but another null. */
export interface ConditionFacts {
  readonly task: (task: TaskId, field: TaskField) => Scalar | null;
  readonly env: (name: string) => string | null;
  readonly var: (name: string) => string | null;
}

/** Tells whether the condition holds. A comparison with something that is not there is false, `!=` is true. */
export function evaluateCondition(condition: Condition, facts: ConditionFacts): boolean {
  switch (condition.kind) {
    case 'and':
      return evaluateCondition(condition.left, facts) && evaluateCondition(condition.right, facts);
    case 'or':
      return evaluateCondition(condition.left, facts) || evaluateCondition(condition.right, facts);
    case 'not':
      return !evaluateCondition(condition.of, facts);
    case 'compare':
      return compare(condition.op, valueOf(condition.left, facts), valueOf(condition.right, facts));
    default:
      return unreachable(condition);
  }
}

/** The tasks whose results the condition looks at, each once. */
export function tasksOfCondition(condition: Condition): TaskId[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return [...new Set([...tasksOfCondition(condition.left), ...tasksOfCondition(condition.right)])];
    case 'not':
      return tasksOfCondition(condition.of);
    case 'compare':
      return [condition.left, condition.right].flatMap((side) => (side.kind === 'task' ? [side.task] : []));
    default:
      return unreachable(condition);
  }
}

/** Writes a condition as the file would: what is shown when a task is skipped. */
export function renderCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'and':
      return `${renderSide(condition.left)} && ${renderSide(condition.right)}`;
    case 'or':
      return `${renderCondition(condition.left)} || ${renderCondition(condition.right)}`;
    case 'not':
      return `!(${renderCondition(condition.of)})`;
    case 'compare':
      return `${renderOperand(condition.left)} ${condition.op} ${renderOperand(condition.right)}`;
    default:
      return unreachable(condition);
  }
}

function renderSide(condition: Condition): string {
  return condition.kind === 'or' ? `(${renderCondition(condition)})` : renderCondition(condition);
}

function renderOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'literal':
      return JSON.stringify(operand.value);
    case 'task':
      return `tasks['${operand.task}'].${operand.field}`;
    case 'env':
    case 'var':
      return `${operand.kind}.${operand.name}`;
    default:
      return unreachable(operand);
  }
}

function valueOf(operand: Operand, facts: ConditionFacts): Scalar | null {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'task':
      return facts.task(operand.task, operand.field);
    case 'env':
      return facts.env(operand.name);
    case 'var':
      return facts.var(operand.name);
    default:
      return unreachable(operand);
  }
}

function compare(op: CompareOp, left: Scalar | null, right: Scalar | null): boolean {
  if (left === null || right === null) return op === '!=' ? left !== right : op === '==' && left === right;
  switch (op) {
    case '==':
      return same(left, right);
    case '!=':
      return !same(left, right);
    case 'contains':
      return String(left).includes(String(right));
    case 'matches':
      return new RegExp(String(right), 'mu').test(String(left));
    case '<':
      return order(left, right) < 0;
    case '<=':
      return order(left, right) <= 0;
    case '>':
      return order(left, right) > 0;
    case '>=':
      return order(left, right) >= 0;
    default:
      return unreachable(op);
  }
}

/** Numbers compare as numbers, also when one side is text that is a number; text that is an output compares without its last newline. */
function same(left: Scalar, right: Scalar): boolean {
  if (typeof left === 'string' && typeof right === 'string') return trimmed(left) === trimmed(right);
  if (typeof left === 'number' || typeof right === 'number') return order(left, right) === 0;
  return trimmed(String(left)) === trimmed(String(right));
}

function order(left: Scalar, right: Scalar): number {
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : Number(left > right);
  return toNumber(left) - toNumber(right);
}

function toNumber(value: Scalar): number {
  return typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
}

function trimmed(text: string): string {
  return text.replace(/\r?\n$/, '');
}
