-- 0001_first - registry, releases, rollouts, what happened, who may and who did.
--
-- Times are unix milliseconds. Numbered states are those of server/rollout/assignment_states.h,
-- server/rollout/rollout.h and server/control/checkin.h: never renumber. A row's `num` is for joins
-- inside the database; `id` is what the API shows.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE keyset (
    version  INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL,
    added    INTEGER NOT NULL
);

CREATE TABLE device (
    num              INTEGER PRIMARY KEY AUTOINCREMENT, -- only rises: the memory table is in its order
    id               BLOB NOT NULL UNIQUE,   -- 16 bytes, fixed at enrolment
    spki             BLOB NOT NULL UNIQUE,   -- SHA-256 of the present key's SPKI
    class            BLOB NOT NULL,          -- class-id, 16 bytes
    state            INTEGER NOT NULL,
    name             TEXT,
    serial           TEXT,
    grp              TEXT,                   -- static group
    running_digest   BLOB,
    running_sequence INTEGER NOT NULL DEFAULT 0,
    running_state    INTEGER NOT NULL DEFAULT 0,
    running_version  TEXT,
    keyset_version   INTEGER NOT NULL DEFAULT 0,
    counter          INTEGER NOT NULL DEFAULT 0, -- highest order counter known to be used
    first_seen       INTEGER NOT NULL,
    last_seen        INTEGER,
    last_address     TEXT,
    next_s           INTEGER NOT NULL DEFAULT 0, -- told at the last check-in
    rhythm           BLOB,
    facts            TEXT,                   -- as reported (check-in key 10), as JSON
    chip             INTEGER,
    revision         INTEGER,
    secure_version   INTEGER,
    fail_reason      INTEGER NOT NULL DEFAULT 0,
    fail_detail      INTEGER NOT NULL DEFAULT 0,
    fail_text        TEXT,
    fail_at          INTEGER
);
CREATE INDEX device_state ON device (state);
CREATE INDEX device_name ON device (name) WHERE name IS NOT NULL;
CREATE INDEX device_serial ON device (serial) WHERE serial IS NOT NULL;
CREATE INDEX device_running ON device (running_digest) WHERE running_digest IS NOT NULL;

-- What operators (meta, tag) and devices (attr) say; a device never overwrites an operator.
CREATE TABLE attribute (
    device  INTEGER NOT NULL REFERENCES device (num) ON DELETE CASCADE,
    space   INTEGER NOT NULL CHECK (space IN (1, 2, 3)), -- 1 attr, 2 meta, 3 tag
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (device, space, name)
) WITHOUT ROWID;

CREATE TABLE artifact (
    sha256 BLOB PRIMARY KEY,
    size   INTEGER NOT NULL,
    added  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE release (
    num            INTEGER PRIMARY KEY,
    id             BLOB NOT NULL UNIQUE,
    class          BLOB NOT NULL,
    sequence       INTEGER NOT NULL,        -- u64, stored as two's complement
    version        TEXT NOT NULL,
    rollback_floor INTEGER NOT NULL,
    source_sequence INTEGER NOT NULL,
    flags          INTEGER NOT NULL,
    payload_sha256 BLOB NOT NULL UNIQUE,
    envelope       BLOB NOT NULL,
    state          INTEGER NOT NULL,        -- 1 draft, 2 published, 3 recalled
    notes          TEXT,
    created        INTEGER NOT NULL,
    UNIQUE (class, sequence)
);
CREATE INDEX release_version ON release (version);

CREATE TABLE component (
    release        INTEGER NOT NULL REFERENCES release (num) ON DELETE CASCADE,
    id             INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    sha256         BLOB NOT NULL REFERENCES artifact (sha256),
    format         INTEGER NOT NULL,
    chip           INTEGER NOT NULL,
    revision_min   INTEGER NOT NULL,
    revision_max   INTEGER NOT NULL,
    secure_version INTEGER NOT NULL,
    PRIMARY KEY (release, id)
) WITHOUT ROWID;
CREATE INDEX component_sha256 ON component (sha256);

CREATE TABLE rollout (
    num          INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    name         TEXT NOT NULL UNIQUE,
    release      INTEGER NOT NULL REFERENCES release (num),
    selector     TEXT NOT NULL,
    grammar      INTEGER NOT NULL,          -- version of the selector language
    salt         BLOB NOT NULL,
    mode         INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    reason       TEXT NOT NULL,             -- why it is in this state, for people
    since        INTEGER NOT NULL,
    starts       INTEGER NOT NULL,
    phase_max_ms INTEGER NOT NULL,
    rate_tenths  INTEGER NOT NULL,
    created      INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    revision     INTEGER NOT NULL           -- counts changes; the ETag
);
CREATE INDEX rollout_state ON rollout (state);

CREATE TABLE phase (
    rollout        INTEGER NOT NULL REFERENCES rollout (num) ON DELETE CASCADE,
    idx            INTEGER NOT NULL,
    rule           INTEGER NOT NULL,        -- 1 percent (value in hundredths), 2 count, 3 rest
    value          INTEGER NOT NULL,
    min_devices    INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    needs_approval INTEGER NOT NULL,
    by_hand        INTEGER NOT NULL,
    device_soak_ms INTEGER NOT NULL,
    soak_ms        INTEGER NOT NULL,
    opened         INTEGER NOT NULL,
    success_since  INTEGER NOT NULL,
    closed         INTEGER NOT NULL,
    acknowledged   INTEGER NOT NULL,
    gates          TEXT NOT NULL,           -- numbers, comma separated, in the order of the struct
    counters       TEXT NOT NULL,           -- likewise; equal to a recount of assignment
    PRIMARY KEY (rollout, idx)
) WITHOUT ROWID;

-- One row per device of a rollout. States 1..9 hold the device's single slot.
CREATE TABLE assignment (
    rollout       INTEGER NOT NULL REFERENCES rollout (num) ON DELETE CASCADE,
    device        INTEGER NOT NULL REFERENCES device (num) ON DELETE CASCADE,
    phase         INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    updated       INTEGER NOT NULL,
    deployment    BLOB,                     -- 16 random bytes per generation, once offered
    from_digest   BLOB,                     -- what ran when it was offered
    reason        INTEGER NOT NULL DEFAULT 0,
    detail        INTEGER NOT NULL DEFAULT 0,
    message       TEXT,                     -- the device's own words
    inferred      INTEGER NOT NULL DEFAULT 0,
    tries         TEXT NOT NULL DEFAULT '', -- numbers, comma separated
    soak_checkins INTEGER NOT NULL DEFAULT 0,
    reboots       INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    tried_bytes   INTEGER NOT NULL DEFAULT 0,
    entered       INTEGER NOT NULL,
    heard         INTEGER NOT NULL DEFAULT 0,
    progress      INTEGER NOT NULL DEFAULT 0,
    offered       INTEGER NOT NULL DEFAULT 0,
    started       INTEGER NOT NULL DEFAULT 0,
    reboots_since INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    grace_ms      INTEGER NOT NULL DEFAULT 0,
    deadline      INTEGER,                  -- when its time limit runs out; NULL: none runs
    PRIMARY KEY (rollout, device)
) WITHOUT ROWID;
CREATE UNIQUE INDEX assignment_slot ON assignment (device) WHERE state < 10;
CREATE INDEX assignment_device ON assignment (device) WHERE state >= 10;
CREATE UNIQUE INDEX assignment_deployment ON assignment (deployment)
    WHERE deployment IS NOT NULL;
CREATE INDEX assignment_deadline ON assignment (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX assignment_state ON assignment (rollout, state, device);

-- One row per try of an assignment, kept for ever as a summary.
CREATE TABLE attempt (
    rollout       INTEGER NOT NULL,
    device        INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    offered       INTEGER NOT NULL,
    ended         INTEGER,
    state         INTEGER NOT NULL,         -- furthest state reached, or how it ended
    bytes         INTEGER NOT NULL DEFAULT 0,
    reason        INTEGER NOT NULL DEFAULT 0,
    detail        INTEGER NOT NULL DEFAULT 0,
    native        INTEGER NOT NULL DEFAULT 0,
    free_heap     INTEGER,
    largest_block INTEGER,
    rssi          INTEGER,
    battery_mv    INTEGER,
    uptime_s      INTEGER,
    reset_reason  INTEGER,
    PRIMARY KEY (rollout, device, generation),
    FOREIGN KEY (rollout, device) REFERENCES assignment (rollout, device) ON DELETE CASCADE
) WITHOUT ROWID;

-- Two firmware failures of a release on a device, or one crash loop, and it is not offered there
-- again.
CREATE TABLE poison (
    device  INTEGER NOT NULL REFERENCES device (num) ON DELETE CASCADE,
    release INTEGER NOT NULL REFERENCES release (num) ON DELETE CASCADE,
    count   INTEGER NOT NULL,
    reason  INTEGER NOT NULL,               -- the latest
    since   INTEGER NOT NULL,
    PRIMARY KEY (device, release)
) WITHOUT ROWID;

-- What happened. A device's report comes at most once: (device, boot_id, seq).
CREATE TABLE event (
    num     INTEGER PRIMARY KEY AUTOINCREMENT, -- the API's id is made of time and num
    time    INTEGER NOT NULL,
    device  INTEGER REFERENCES device (num) ON DELETE CASCADE,
    rollout INTEGER REFERENCES rollout (num) ON DELETE SET NULL,
    boot_id INTEGER,
    seq     INTEGER,
    kind    TEXT NOT NULL,
    text    TEXT NOT NULL,
    data    TEXT NOT NULL                   -- a JSON object, at most 2 KiB
);
CREATE UNIQUE INDEX event_once ON event (device, boot_id, seq) WHERE boot_id IS NOT NULL;
CREATE INDEX event_device ON event (device, num) WHERE device IS NOT NULL;
CREATE INDEX event_rollout ON event (rollout, num) WHERE rollout IS NOT NULL;

-- Append-only hash chain; docs/spec/audit.md.
CREATE TABLE audit (
    idx    INTEGER PRIMARY KEY,             -- 1, 2, 3 ... without a gap
    time   INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT,                            -- JSON, ASCII, at most 1,024 bytes
    peer   TEXT,
    hash   BLOB NOT NULL
);

CREATE TABLE token (
    name    TEXT PRIMARY KEY,
    sha256  BLOB NOT NULL UNIQUE,           -- the token itself is nowhere
    roles   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL                -- 0: never
) WITHOUT ROWID;

CREATE TABLE idempotency (
    token  TEXT NOT NULL,
    key    TEXT NOT NULL,
    body   BLOB NOT NULL,                   -- SHA-256 of method, path and body
    status INTEGER NOT NULL,
    reply  TEXT NOT NULL,
    time   INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_time ON idempotency (time);

-- When this server did not answer; devices' time limits are extended by it.
CREATE TABLE outage (
    began INTEGER PRIMARY KEY,
    ended INTEGER NOT NULL
);
