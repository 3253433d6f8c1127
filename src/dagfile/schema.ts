import { dagFile } from './keys.ts';

/** The JSON Schema of the format, from the same tables that the parser reads with; editors complete and check with it. */
export function dagFileSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'cis DAG file',
    description: 'A DAG of terminal sessions, in TOML or JSON.',
    ...dagFile.schema,
    anyOf: [{ required: ['tasks'] }, { required: ['dag'], properties: { dag: { required: ['tasks'] } } }],
  };
}
