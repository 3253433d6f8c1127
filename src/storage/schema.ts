import type { Database } from 'better-sqlite3';

/**
 * Ordered upgrade steps; `user_version` counts those that were taken. A step that was released never changes.
 * Every state is kept twice on purpose: `events` is what happened, the state tables are its fold, written in the same transaction.
 */
export const steps: readonly string[] = [
  `
  CREATE TABLE runs (
    id         TEXT PRIMARY KEY,
    dag_name   TEXT NOT NULL,
    settings   TEXT NOT NULL,              -- RunSettings as JSON, the checked DAG included
    state      TEXT NOT NULL,              -- RunState.kind
    state_json TEXT NOT NULL,              -- RunState
    mode       TEXT NOT NULL,
    room       TEXT,
    tasks      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER
  ) STRICT;
  CREATE INDEX runs_by_age ON runs (created_at DESC);
  CREATE INDEX runs_unfinished ON runs (created_at DESC) WHERE state NOT IN ('completed', 'failed', 'aborted');

  CREATE TABLE tasks (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id    TEXT NOT NULL,
    position   INTEGER NOT NULL,           -- place in the file
    state      TEXT NOT NULL,              -- TaskState.kind
    state_json TEXT NOT NULL,              -- TaskState
    amendments TEXT NOT NULL DEFAULT '[]', -- Amendment[]
    PRIMARY KEY (run_id, task_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE attempts (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id    TEXT NOT NULL,              -- of a task or of one of its rollbacks
    attempt    INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    agent      TEXT,
    pid        INTEGER,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    end_json   TEXT,                       -- SessionEnd
    PRIMARY KEY (run_id, task_id, attempt)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX attempts_open ON attempts (started_at) WHERE ended_at IS NULL;

  CREATE TABLE outputs (
    run_id   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id  TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    text     TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    cut_from INTEGER,                      -- bytes of the whole, when more than is kept
    source   TEXT NOT NULL,                -- OutputSummary.source
    PRIMARY KEY (run_id, task_id, attempt)
  ) STRICT;

  CREATE TABLE artifacts (
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    path    TEXT NOT NULL,                 -- absolute
    bytes   INTEGER NOT NULL,
    sha256  TEXT NOT NULL,
    PRIMARY KEY (run_id, task_id, attempt, path)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   TEXT NOT NULL,
    category TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,             -- ms since 1970
    body     TEXT NOT NULL                 -- CisEvent
  ) STRICT;
  CREATE INDEX events_by_run ON events (run_id, seq);

  CREATE TABLE journal_cursors (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE leases (
    run_id     TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    epoch      INTEGER NOT NULL,           -- grows by one with each driver
    pid        INTEGER,                    -- NULL: nobody drives the run
    pid_start  TEXT,
    boot_id    TEXT,
    what       TEXT                        -- shown to whoever is refused
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE requests (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    by         TEXT NOT NULL,
    via        TEXT NOT NULL,
    body       TEXT NOT NULL,              -- RunRequest
    outcome    TEXT,                       -- RequestOutcome, NULL while open
    decided_at INTEGER
  ) STRICT;
  CREATE INDEX requests_open ON requests (run_id, id) WHERE outcome IS NULL;

  CREATE TABLE settings (
    name  TEXT PRIMARY KEY,                -- 'active-run'
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE matrix_device (               -- one row: the device this home is in the homeserver's eyes; its token lies elsewhere
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    homeserver  TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    device_id   TEXT NOT NULL,
    txn_prefix  TEXT NOT NULL,               -- random: row ids start again at 1 in a new database, transaction ids must not
    since       TEXT,                        -- everything before it was processed
    limit_json  TEXT,                        -- RateLimit, NULL where it was lifted
    bucket_json TEXT,                        -- BucketState
    last_error  TEXT
  ) STRICT;

  CREATE TABLE matrix_rooms (
    room_id    TEXT PRIMARY KEY,
    encryption TEXT NOT NULL DEFAULT 'unknown', -- RoomEncryption; 'encrypted' never changes back
    synced     INTEGER NOT NULL DEFAULT 0    -- 1: a sync had it, so what is missing before the next one is a gap
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    room       TEXT NOT NULL,
    lane       TEXT NOT NULL,
    type       TEXT NOT NULL,
    content    TEXT NOT NULL,                -- JSON, frozen
    ciphertext TEXT,                         -- JSON, made once, before the first send
    txn_id     TEXT NOT NULL UNIQUE,
    refers_to  INTEGER,                      -- an earlier row, whose event id is filled in
    state      TEXT NOT NULL DEFAULT 'waiting',
    attempts   INTEGER NOT NULL DEFAULT 0,
    event_id   TEXT,
    reason     TEXT,                         -- why it was parked, or the last refusal
    created_at INTEGER NOT NULL,
    done_at    INTEGER
  ) STRICT;
  CREATE INDEX outbox_waiting ON outbox (lane, room, id) WHERE state = 'waiting';
  CREATE INDEX outbox_events ON outbox (event_id) WHERE event_id IS NOT NULL;

  CREATE TABLE matrix_seen (                 -- events that were handed on, so that none is twice
    event_id TEXT PRIMARY KEY,
    at       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX matrix_seen_by_age ON matrix_seen (at);

  CREATE TABLE matrix_undecrypted (          -- events whose key has not come yet
    event_id TEXT PRIMARY KEY,
    room_id  TEXT NOT NULL,
    event    TEXT NOT NULL,
    at       INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE bridge_runs (                 -- runs that a room follows
    run_id   TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    wanted   TEXT NOT NULL,                  -- the room as it was given: an id or an alias
    place    TEXT,                           -- RoomPlace, NULL until the homeserver was asked
    seq      INTEGER NOT NULL,               -- events up to here are in the outbox
    card     INTEGER,                        -- the outbox row of the card
    shown    TEXT,                           -- what the card says
    last_row INTEGER,                        -- the newest outbox row of the last round
    closed   INTEGER NOT NULL DEFAULT 0,     -- 1: the room has it to its end
    problem  TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE bridge_questions (
    outbox_row INTEGER PRIMARY KEY,          -- of the message that asks
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    asked      TEXT NOT NULL,                -- its id: of a block, a gate, a decision
    body       TEXT NOT NULL,                -- Question
    outcome    TEXT                          -- what the message was edited to, NULL while it is open
  ) STRICT;
  CREATE INDEX bridge_questions_by_run ON bridge_questions (run_id);

  CREATE TABLE bridge_inbox (                -- what people in the room said to us
    event_id TEXT PRIMARY KEY,
    room     TEXT NOT NULL,
    sender   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL,                  -- Said
    verdict  TEXT                            -- NULL: not looked at yet
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bridge_inbox_open ON bridge_inbox (at) WHERE verdict IS NULL;
  `,
  `
  CREATE TABLE bridge_asked (                -- one message may ask several questions, each at its position
    outbox_row INTEGER NOT NULL,             -- of the message that asks
    position   INTEGER NOT NULL,             -- from 0
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    asked      TEXT NOT NULL,                -- its id: of a block, a gate, a decision
    body       TEXT NOT NULL,                -- Question
    outcome    TEXT,                         -- what the message says came of it, NULL while it is open
    PRIMARY KEY (outbox_row, position)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO bridge_asked SELECT outbox_row, 0, run_id, asked, body, outcome FROM bridge_questions;
  DROP TABLE bridge_questions;
  ALTER TABLE bridge_asked RENAME TO bridge_questions;
  CREATE INDEX bridge_questions_by_run ON bridge_questions (run_id);

  CREATE TABLE bridge_listeners (            -- who asked to be told how a run ends
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    PRIMARY KEY (run_id, user_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE bridge_files (                -- outputs that wait to be uploaded for the thread of a card
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    card    INTEGER NOT NULL                 -- the outbox row whose thread it goes to
  ) STRICT;
  `,
  `
  CREATE TABLE fleet_inbox (                 -- machine events of rooms as they came, our own included; nobody has judged them
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    room     TEXT NOT NULL,
    sender   TEXT NOT NULL,
    type     TEXT NOT NULL,
    content  TEXT NOT NULL,
    sent_at  INTEGER NOT NULL,               -- the homeserver's word
    at       INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE fleet_device_inbox (          -- messages of type cis.* from device to device
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    only      TEXT UNIQUE,                   -- of those with the same one only the newest is kept
    sender    TEXT NOT NULL,
    type      TEXT NOT NULL,
    content   TEXT NOT NULL,
    encrypted INTEGER NOT NULL,
    at        INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE fleet_cursors (               -- how far each reader is: a coordinator by its run, the node of this home
    reader  TEXT PRIMARY KEY,
    inbox   INTEGER NOT NULL DEFAULT 0,
    devices INTEGER NOT NULL DEFAULT 0,
    log     INTEGER NOT NULL DEFAULT 0       -- of events that a coordinator has announced
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE fleet_rooms (                 -- rooms whose machine events are kept, and for which reader
    reader TEXT NOT NULL,
    room   TEXT NOT NULL,
    PRIMARY KEY (reader, room)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE to_device_outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    only       TEXT UNIQUE,                  -- one that waits is replaced by the next of the same kind
    user_id    TEXT NOT NULL,
    device_id  TEXT NOT NULL,
    type       TEXT NOT NULL,
    content    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,             -- later it is of no use to anybody
    created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE fleet_link (                  -- one row: whether this home hears the homeserver
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    up_since INTEGER                         -- NULL: it does not
  ) STRICT;

  CREATE TABLE fleet_nodes (                 -- nodes as a coordinator of this home knows them
    did       TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    device_id TEXT,
    room      TEXT,
    facts     TEXT,                          -- its last heartbeat
    heard_at  INTEGER NOT NULL,
    breaker   TEXT                           -- BreakerState
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE fleet_leases (                -- attempts of matrix runs that this home coordinates
    run_id   TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id  TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    session  TEXT NOT NULL,
    epoch    INTEGER NOT NULL,
    did      TEXT,                           -- NULL: nobody has it
    state    TEXT NOT NULL,                  -- LeaseState.kind
    body     TEXT NOT NULL,                  -- LeaseState
    refusals TEXT NOT NULL,                  -- by did: what nodes said that gave it back
    PRIMARY KEY (run_id, task_id, attempt)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fleet_leases_by_session ON fleet_leases (session);
  CREATE INDEX fleet_leases_open ON fleet_leases (run_id) WHERE state != 'over';

  CREATE TABLE fleet_entries (               -- what the journal of a host is to a local run
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    session TEXT NOT NULL,
    event   TEXT NOT NULL,                   -- JournalEvent
    report  TEXT,                            -- TaskReport, of an end
    PRIMARY KEY (run_id, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fleet_entries_reports ON fleet_entries (run_id, session) WHERE report IS NOT NULL;

  CREATE TABLE node_runs (                   -- runs that gave this home's node work
    run_id      TEXT PRIMARY KEY,
    room        TEXT NOT NULL,
    coordinator TEXT NOT NULL,               -- who may give more: the one with the highest epoch
    epoch       INTEGER NOT NULL,
    seen        INTEGER NOT NULL,            -- the newest epoch of a grant that was read
    heard_at    INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE node_leases (                 -- work this home's node was given
    run_id  TEXT NOT NULL,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    session TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    state   TEXT NOT NULL,                   -- WorkState.kind
    body    TEXT NOT NULL,                   -- WorkState
    taken_order TEXT,                        -- TaskOrder, while it is of use
    at      INTEGER NOT NULL,
    PRIMARY KEY (run_id, task_id, attempt)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX node_leases_by_session ON node_leases (session);
  CREATE INDEX node_leases_open ON node_leases (state) WHERE state != 'over';
  `,
  `
  CREATE TABLE fleet_trust (                 -- nodes of other homes that the user trusts; discovery alone writes nothing here
    did         TEXT PRIMARY KEY,
    node        TEXT,                        -- as it called itself when it was trusted
    user_id     TEXT,                        -- the account it speaks as; NULL until it was heard
    worker      INTEGER NOT NULL,            -- its results count here
    coordinator INTEGER NOT NULL,            -- its orders count here
    how         TEXT NOT NULL,               -- 'command' or 'ticket'
    at          INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE fleet_seen (                  -- so that no signed message counts twice
    did    TEXT NOT NULL,
    lane   TEXT NOT NULL,                    -- a room, or 'to-device'
    memory TEXT NOT NULL,                    -- SeqMemory
    PRIMARY KEY (did, lane)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE fleet_tickets (               -- invitations that this home gave, and the one it used
    id         TEXT PRIMARY KEY,
    direction  TEXT NOT NULL,                -- 'given' or 'taken'
    secret     TEXT NOT NULL,
    room       TEXT NOT NULL,
    peer       TEXT,                         -- the did that used it, or that gave it
    roles      TEXT NOT NULL,                -- JSON: what the peer is trusted as
    expires_at INTEGER NOT NULL,
    settled_at INTEGER                       -- NULL while it is open
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE fleet_nodes ADD COLUMN latency_ms INTEGER; -- a round trip as measured
  ALTER TABLE fleet_nodes ADD COLUMN seqs TEXT;          -- by lane: the number of its newest heartbeat
  `,
];

export const schemaVersion = steps.length;

/**
 * Takes the steps that are missing, all or none. The version is read inside: two processes may start on a new home at once,
 * and only one takes the steps.
 */
export function upgradeSchema(db: Database): void {
  const upgrade = db.transaction(() => {
    const taken = Number(db.pragma('user_version', { simple: true }));
    for (const step of steps.slice(taken)) db.exec(step);
    db.pragma(`user_version = ${schemaVersion}`);
  });
  upgrade.immediate();
}
