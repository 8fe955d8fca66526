-- One row per order, which becomes a rental when the number is connected. `ended_at` closes either.
CREATE TABLE rentals (
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    number TEXT NOT NULL,
    service TEXT NOT NULL,
    channels BIGINT NOT NULL,
    autorenew BOOLEAN NOT NULL,
    periods BIGINT,
    prepaid BOOLEAN NOT NULL,
    ordered_at TEXT NOT NULL,
    rented_at TEXT,
    term_ends_at TEXT,
    plan TEXT,
    price BIGINT,
    currency TEXT,
    paid_until TEXT,
    suspended_since TEXT,
    new_number TEXT,
    replaced_on TEXT,
    ended_at TEXT,
    end_reason TEXT,
    PRIMARY KEY (subject, version)
) WITHOUT ROWID;

-- Who held a number, when; `until` is empty while it is held.
CREATE TABLE tenures (
    number TEXT NOT NULL,
    subject TEXT NOT NULL,
    version BIGINT NOT NULL,
    service TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT,
    reason TEXT,
    PRIMARY KEY (number, subject, version)
) WITHOUT ROWID;
