-- One row per subscriber: how many orders and rentals a period's end may touch, and up to when time has surely passed.
CREATE TABLE clocks (
    subject TEXT NOT NULL PRIMARY KEY,
    time_zone TEXT NOT NULL,
    passed_at TEXT NOT NULL,
    live BIGINT NOT NULL
) WITHOUT ROWID;

-- One row per instant that was appointed and has not come.
CREATE TABLE appointments (
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (subject, kind, reference)
) WITHOUT ROWID;

CREATE INDEX appointments_by_instant ON appointments (at);
