import { agentKeys, answerKeys, dagKeys, sections, skillKeys, type Field, type Section } from './schema.ts';

const intro = `# Settings of cis: ~/.cis/config.toml, or a project's .cis/config.toml on top of it.
# Every key is shown with its default and commented out; \`cis config show --origin\` says what holds and why.
# Stronger, in this order: flags, CIS_* variables (CIS_DAG_MAX_WORKERS=8), the project's file, your own file.
# A project's file is somebody else's: it may set only what is marked (project), until you \`cis config trust\` it.
`;

/** The text of `config.example.toml`: every key of the schema with its words and its default. */
export function renderExample(): string {
  const parts = Object.values(sections).map((section) => renderSection(section));
  return [intro, ...parts, answersExample, agentsExample, skillsExample, dagsExample].join('\n');
}

function renderSection({ path, doc, fields }: Section): string {
  const heading = path.length === 0 ? [] : [`# ${doc}`, `[${path.join('.')}]`];
  return [...heading, ...Object.entries(fields).flatMap(([key, field]) => renderField(key, field)), ''].join('\n');
}

function renderField(key: string, field: Field): string[] {
  const more = field.kind === 'choice' ? ` One of ${field.choices.join(', ')}.` : '';
  const project = field.project === true ? ' (project)' : '';
  return [`# ${field.doc}${more}${project}`, `# ${key} = ${shownDefault(field)}`];
}

function shownDefault(field: Field): string {
  const example = 'example' in field ? field.example : undefined;
  const isEmpty = field.default === null || (Array.isArray(field.default) && field.default.length === 0);
  if (isEmpty && example !== undefined) return `${toml(example)}   # no default`;
  return toml(field.default ?? '');
}

function toml(value: string | number | boolean | readonly string[]): string {
  return Array.isArray(value) ? `[${value.map((one) => JSON.stringify(one)).join(', ')}]` : JSON.stringify(value);
}

const keyList = (keys: Readonly<Record<string, string>>) =>
  Object.entries(keys)
    .map(([key, doc]) => `#   ${key}: ${doc}`)
    .join('\n');

const answersExample = `# Questions that a rule answers, so that nobody is asked. Every such answer is logged with the rule's name.
${keyList(answerKeys)}
# [[answers]]
# name = "tests may run"
# agent = "claude"
# kind = "approval"
# match = "^npm (run )?test"
# choose = "Yes"
# max_times = 20
`;

const agentsExample = `# Further agents, or other words for a known one.
${keyList(agentKeys)}
# [agents.mine]
# oneshot = ["my-agent", "--print", "{{ prompt }}"]
# interactive = ["my-agent"]
# prompt = "argument"
# version = ["my-agent", "--version"]
`;

const skillsExample = `# Command templates for \`skill = "NAME"\` in a DAG file.
${keyList(skillKeys)}
# [skills.format]
# command = "npx oxfmt --write ."
`;

const dagsExample = `# DAGs that those who may answer can start from a room: \`!cis run nightly\`.
${keyList(dagKeys)}
# [dags.nightly]
# file = "/home/you/project/dags/nightly.toml"
# directory = "/home/you/project"
# description = "tests, and a report"
`;
