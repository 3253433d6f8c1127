import { defaultRedactPatterns } from '../domain/redact.ts';

/**
 * Every key of `config.toml`, as data: parsing, errors, `config.example.toml`, `cis config show` and the names of the `CIS_*`
 * variables are all read from here. `project` marks what a project's own file may set without being trusted (see PLAN.md).
 */
export type Field = {
  readonly doc: string;
  readonly project?: true;
} & (
  | { readonly kind: 'string'; readonly default: string | null; readonly example?: string }
  | { readonly kind: 'boolean'; readonly default: boolean }
  | { readonly kind: 'integer'; readonly default: number; readonly min: number; readonly max?: number }
  | { readonly kind: 'strings'; readonly default: readonly string[]; readonly example?: readonly string[] }
  | { readonly kind: 'choice'; readonly default: string; readonly choices: readonly string[] }
);

export interface Section {
  /** Its heading in the file; empty for keys that stand before any heading. */
  readonly path: readonly string[];
  readonly doc: string;
  readonly fields: Readonly<Record<string, Field>>;
}

export const sections = {
  general: {
    path: [],
    doc: 'Settings of cis.',
    fields: {
      redact: {
        kind: 'strings',
        default: defaultRedactPatterns,
        doc: 'Values (8 characters or more) of environment variables with such names are masked wherever something is shown or sent.',
        project: true,
      },
    },
  },
  dag: {
    path: ['dag'],
    doc: 'How DAGs run when neither the file nor a flag says otherwise.',
    fields: {
      default_mode: {
        kind: 'choice',
        choices: ['local', 'hybrid', 'matrix'],
        default: 'local',
        doc: 'Where a run happens: on this machine; here and followed in a room; on the nodes of a room.',
      },
      room_id: {
        kind: 'string',
        default: null,
        example: '#dags:example.org',
        doc: 'The room for hybrid and matrix runs: an id or an alias.',
      },
      default_agent: {
        kind: 'string',
        default: null,
        example: 'claude',
        doc: 'The agent of tasks that name none.',
        project: true,
      },
      max_workers: { kind: 'integer', min: 1, max: 1000, default: 4, doc: 'Sessions at once, per run.', project: true },
    },
  },
  dagMatrix: {
    path: ['dag', 'matrix'],
    doc: 'What a run sends to its room.',
    fields: {
      enabled: { kind: 'boolean', default: true, doc: 'false: no run sends anything, whatever its flags say.' },
      auto_create_room: { kind: 'boolean', default: false, doc: 'Makes the room when it does not exist.' },
      broadcast_interval_ms: {
        kind: 'integer',
        min: 100,
        max: 600_000,
        default: 5_000,
        doc: "The least time between two updates of a run's card, in milliseconds.",
      },
    },
  },
  dagHybrid: {
    path: ['dag', 'hybrid'],
    doc: 'What a room may see and do in hybrid mode.',
    fields: {
      broadcast_output: { kind: 'boolean', default: false, doc: "Sends previews of tasks' outputs, redacted." },
      accept_answers_from: {
        kind: 'strings',
        default: [],
        example: ['@you:example.org'],
        doc: "Who may answer from the room. Empty: whoever has the room's power level 50 or more.",
      },
      mention_on_end: {
        kind: 'boolean',
        default: false,
        doc: 'Mentions those who may answer when a run ends; without it only who asked by `!cis tell`.',
      },
    },
  },
  matrix: {
    path: ['matrix'],
    doc: 'The account that cis uses. Its token is kept by `cis matrix login`, not here.',
    fields: {
      homeserver: {
        kind: 'string',
        default: null,
        example: 'https://matrix.example.org',
        doc: 'The address of the homeserver.',
      },
      user_id: { kind: 'string', default: null, example: '@cis:example.org', doc: 'The user.' },
      device_name: { kind: 'string', default: 'cis', doc: 'How the device is called in lists of sessions.' },
    },
  },
  host: {
    path: ['host'],
    doc: 'The background process that owns the terminals.',
    fields: {
      idle_exit_secs: { kind: 'integer', min: 0, default: 60, doc: 'Ends the host after so long without a session.' },
      recording_max_mb: {
        kind: 'integer',
        min: 1,
        default: 100,
        doc: 'The most one recording may take; of a longer one head and tail are kept, and it says so.',
      },
      kill_grace_ms: {
        kind: 'integer',
        min: 0,
        max: 600_000,
        default: 5_000,
        doc: 'How long a program may take to end when asked to, before it is killed.',
      },
    },
  },
  attach: {
    path: ['attach'],
    doc: 'Looking into a session.',
    fields: {
      detach: {
        kind: 'string',
        default: 'C-] d',
        doc: 'The keys that leave a session: names as in `cis dag send --keys`.',
      },
    },
  },
  notify: {
    path: ['notify'],
    doc: 'How you are told that a session waits for you.',
    fields: {
      bell: { kind: 'boolean', default: true, doc: 'Rings the bell of the terminal that shows the run.' },
      osc9: {
        kind: 'boolean',
        default: false,
        doc: 'Tells the terminal that shows the run (OSC 9): many make a notification of it.',
      },
      desktop: {
        kind: 'boolean',
        default: false,
        doc: 'Sends a desktop notification (notify-send, or osascript on macOS).',
      },
      command: {
        kind: 'strings',
        default: [],
        example: ['notify-phone', '--title', '{{ session }}', '{{ question }}'],
        doc: 'A program and its arguments, run once per question.',
      },
      grace_secs: {
        kind: 'integer',
        min: 0,
        default: 5,
        doc: 'Waits so long before telling, in case you are looking and answer at once.',
      },
      cooldown_secs: {
        kind: 'integer',
        min: 0,
        default: 10,
        doc: 'Rings and shows at most once in so long; what is asked meanwhile is told together.',
      },
    },
  },
  node: {
    path: ['node'],
    doc: 'This machine as a node of matrix mode.',
    fields: {
      name: { kind: 'string', default: null, example: 'workshop', doc: 'How people call it. Default: the host name.' },
      max_sessions: { kind: 'integer', min: 0, default: 4, doc: 'Sessions it takes at once.' },
      labels: {
        kind: 'strings',
        default: [],
        example: ['gpu=a100', 'site=lab'],
        doc: 'Labels for `node_selector`: NAME=VALUE.',
      },
      agents: {
        kind: 'strings',
        default: [],
        example: ['claude'],
        doc: 'Agents it may run. Empty: every one installed; ["none"]: none.',
      },
      tier: {
        kind: 'choice',
        choices: ['auto', '0', '1', '2'],
        default: 'auto',
        doc: '0: a small machine; 1: an ordinary one; 2: one that runs models itself. auto: as detected.',
      },
      model_servers: {
        kind: 'strings',
        default: [],
        example: ['http://127.0.0.1:8080/v1'],
        doc: 'Servers that speak the OpenAI protocol, besides Ollama (port 11434) and LM Studio (1234) on this machine.',
      },
      room_id: {
        kind: 'string',
        default: null,
        example: '#fleet:example.org',
        doc: 'The room `cis node start` works in. Default: dag.room_id.',
      },
    },
  },
  nodePolicy: {
    path: ['node', 'policy'],
    doc: 'What the coordinators that this node trusts may do here. Shown by `cis node policy`.',
    fields: {
      allow_commands: {
        kind: 'strings',
        default: [],
        example: ['npm *', 'make', 'make *'],
        doc: 'Commands it runs: * is any text; each part of `a && b | c` must match one. Empty: every command.',
      },
      deny_commands: {
        kind: 'strings',
        default: [],
        example: ['sudo *', '*shutdown*'],
        doc: 'Commands it never runs, whatever allows them. A guard rail, not a sandbox.',
      },
      dirs: {
        kind: 'strings',
        default: [],
        example: ['/srv/projects'],
        doc: 'Directories that tasks may name as `work_dir`. Others run in a directory of the node.',
      },
      env: {
        kind: 'choice',
        choices: ['all', 'safe', 'none'],
        default: 'safe',
        doc: 'Variables that a DAG may set here. safe: none that decide which program runs, such as PATH or LD_PRELOAD.',
      },
      base_urls: {
        kind: 'strings',
        default: [],
        example: ['https://models.example.org/v1'],
        doc: 'Where a task may send an agent (and with it a key of this machine), besides this machine itself.',
      },
      permission_modes: {
        kind: 'strings',
        default: [],
        example: ['plan', 'default'],
        doc: 'Modes that a task may start an agent in, besides its own default. Empty: any.',
      },
      answers_from: {
        kind: 'strings',
        default: ['coordinators'],
        example: ['coordinators', '@you:example.org'],
        doc: 'Who may answer, watch and end sessions here from elsewhere: coordinators, users, keys of nodes.',
      },
      passwords: {
        kind: 'boolean',
        default: false,
        doc: 'Takes passwords from those too, by `cis dag unblock` and `attach` (sealed; never from a room).',
      },
    },
  },
} as const satisfies Readonly<Record<string, Section>>;

export type SectionName = keyof typeof sections;

/** Keys of one `[agents.NAME]`; what they hold is checked by the agents themselves. */
export const agentKeys = {
  command: 'argv of the program, as a list; used for both forms below when they are not given',
  oneshot: 'argv of the form that answers and ends, with {{ prompt }}, {{ prompt_file }}, {{ model }} filled in',
  interactive: 'argv of the form that stays open',
  resume: 'argv that carries on a conversation, with {{ conversation }}',
  prompt: 'how it gets the prompt: "argument", "file" or "stdin"',
  version: 'argv that prints the version, for `cis doctor`',
  env: 'table of variables it is started with',
  hooks: 'table: how it reports to `cis hook`',
  rules: 'list of rules that read its screen, above those of cis',
  final_message: 'table: where its final message is found',
  close: 'keys that end it politely, such as "C-c C-c"',
  model: 'the model when the task names none',
  permission_mode: 'the permission mode when the task names none',
  skip_permissions: 'true: starts it with its own flag that asks nothing; shown in the plan',
} as const satisfies Readonly<Record<string, string>>;

/** Keys of one `[[answers]]`. */
export const answerKeys = {
  name: 'how the log calls the rule; default: its place in the file',
  agent: 'only for this agent',
  kind: 'only for this kind of question; never trust, login or password',
  match: 'a regular expression that the question must match',
  choose: 'the label of the choice to pick, or the text to give',
  max_times: 'how often per session; default 1',
} as const satisfies Readonly<Record<string, string>>;

/** Keys of one `[skills.NAME]`. */
export const skillKeys = {
  command: 'the command, with {{ args }} and {{ task.name }} filled in',
  description: 'one line',
} as const satisfies Readonly<Record<string, string>>;

/** Keys of one `[dags.NAME]`. */
export const dagKeys = {
  file: 'the DAG file, as an absolute path',
  directory: 'where it runs, as an absolute path; default: the directory of the file',
  description: 'one line, shown by `!cis help`',
} as const satisfies Readonly<Record<string, string>>;

export interface Place {
  readonly section: SectionName;
  readonly key: string;
  readonly field: Field;
  /** As written in words: `dag.matrix.enabled`. */
  readonly path: string;
  /** `CIS_DAG_MATRIX_ENABLED`. */
  readonly env: string;
}

/** Every key with its place, in the order of the example. */
export function listPlaces(): Place[] {
  return (Object.entries(sections) as [SectionName, Section][]).flatMap(([section, { path, fields }]) =>
    Object.entries(fields).map(([key, field]) => {
      const words = [...path, key];
      return { section, key, field, path: words.join('.'), env: `CIS_${words.join('_').toUpperCase()}` };
    }),
  );
}
