-- name: wait
-- Something waits for its money.
INSERT INTO dues (subject, version, kind, number, since, due_at, outstanding, currency)
VALUES (:subject, :version, :kind, :number, :since, :due_at, :outstanding, :currency);

-- name: close
-- What waited of a kind for a number waits no longer.
-- first: subject, number, kind
UPDATE dues SET closed_at = :at, outcome = :outcome
WHERE subject = :subject AND number = :number AND kind = :kind AND closed_at IS NULL;

-- name: settle
-- Part of an invoice is settled; with the last part it is closed.
UPDATE dues SET
    outstanding = outstanding - :amount,
    closed_at = CASE WHEN outstanding = :amount THEN :at END,
    outcome = CASE WHEN outstanding = :amount THEN :outcome END
WHERE subject = :subject AND version = :version;

-- name: withdraw
-- An invoice is withdrawn with what is outstanding on it.
-- key: subject, version
UPDATE dues SET outstanding = 0, closed_at = :at, outcome = 'expired' WHERE subject = :subject AND version = :version;

-- name: renumber
-- What waits for one number waits for another.
UPDATE dues SET number = :new_number WHERE subject = :subject AND number = :number AND closed_at IS NULL;
