-- One row per fact. `due`: it came by time alone, before the command was looked at.
CREATE TABLE decisions (
    position INTEGER NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    type TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    caused_by TEXT NOT NULL,
    basis TEXT NOT NULL,
    code TEXT,
    due BOOLEAN NOT NULL
);

CREATE UNIQUE INDEX decisions_by_id ON decisions (subject, version);
