import * as v from 'valibot';
import type { Category } from '../../domain/event.ts';
import { err, ok, type Result } from '../../domain/result.ts';
import { checkContent } from '../content.ts';
import type { JsonObject } from '../http.ts';
import { nodeSchemas } from './node.ts';
import { runSchemas } from './run.ts';
import { contentVersion } from './schema.ts';
import { sessionSchemas } from './session.ts';
import { taskSchemas } from './task.ts';

/** Every machine event cis knows, under the one category it belongs to. */
export const schemasByCategory = {
  run: runSchemas,
  task: taskSchemas,
  session: sessionSchemas,
  node: nodeSchemas,
} as const satisfies Record<Category, Record<string, v.GenericSchema>>;

const schemas = { ...runSchemas, ...taskSchemas, ...sessionSchemas, ...nodeSchemas } as const;

export type MachineType = keyof typeof schemas;

export type MachineContent<Type extends MachineType> = v.InferOutput<(typeof schemas)[Type]>;

/** One machine event with its type as the tag. */
export type MachineEvent = {
  readonly [Type in MachineType]: { readonly type: Type; readonly content: MachineContent<Type> };
}[MachineType];

export const machineTypes = Object.keys(schemas) as readonly MachineType[];

function isMachineType(type: string): type is MachineType {
  return Object.hasOwn(schemas, type);
}

/** The category of a machine event; each has exactly one. */
export function machineCategory(type: MachineType): Category {
  for (const category of Object.keys(schemasByCategory) as Category[]) {
    if (Object.hasOwn(schemasByCategory[category], type)) return category;
  }
  throw new Error(`${type} has no category`);
}

export interface MachineReading {
  readonly event: MachineEvent;
  /** Set for content of a newer version: it fits what is known here, but may mean more. */
  readonly warning: string | null;
}

/** Reads what a room has. Fields that are not known are ignored; what does not fit is an error with the place of it. */
export function readMachineEvent(type: string, content: JsonObject): Result<MachineReading, string> {
  if (!isMachineType(type)) return err(`${type} is not a machine event this cis knows`);
  const parsed = v.safeParse(schemas[type], content);
  const newer = typeof content['v'] === 'number' && content['v'] > contentVersion;
  const age = newer ? ` (version ${String(content['v'])}; this cis knows ${contentVersion}: upgrade it)` : '';
  if (!parsed.success) return err(`${type}${age}: ${firstProblem(parsed.issues)}`);
  const event = { type, content: parsed.output } as MachineEvent;
  return ok({ event, warning: newer ? `${type} was written by a newer cis${age}` : null });
}

/** Checks what is to be sent: its shape, whole numbers, well-formed text and size. Returns the content for the outbox. */
export function writeMachineEvent<Type extends MachineType>(
  type: Type,
  content: Omit<MachineContent<Type>, 'v'>,
): Result<JsonObject, string> {
  const full = { v: contentVersion, ...content };
  const parsed = v.safeParse(schemas[type], full);
  if (!parsed.success) return err(`${type}: ${firstProblem(parsed.issues)}`);
  return checkContent(full);
}

function firstProblem(issues: readonly v.BaseIssue<unknown>[]): string {
  const [issue] = issues;
  if (issue === undefined) return 'malformed';
  const place = v.getDotPath(issue);
  return place === null ? issue.message : `${place}: ${issue.message}`;
}
