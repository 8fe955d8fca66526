-- One row per subscriber: what was agreed, and how far the agreement has come. An instant is empty until it is reached.
CREATE TABLE agreements (
    subject TEXT NOT NULL PRIMARY KEY,
    regulations TEXT NOT NULL,
    regulations_version TEXT NOT NULL,
    currency TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    holder TEXT NOT NULL,
    plan TEXT NOT NULL,
    first_account BOOLEAN NOT NULL,
    registered_at TEXT NOT NULL,
    refused_at TEXT,
    verified_at TEXT,
    funded_at TEXT,
    concluded_at TEXT,
    suspended_at TEXT,
    ends_at TEXT,
    terminated_at TEXT,
    cause TEXT,
    erased_at TEXT
) WITHOUT ROWID;

-- One row per scheduled change; `outcome` is empty while it is pending.
CREATE TABLE plan_changes (
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    from_plan TEXT NOT NULL,
    plan TEXT NOT NULL,
    requested_at TEXT NOT NULL,
    takes_effect_at TEXT NOT NULL,
    outcome TEXT,
    settled_at TEXT,
    PRIMARY KEY (subject, version)
) WITHOUT ROWID;
