-- name: lots_of
-- A subscriber's lots in the order in which they are spent.
SELECT id, kind, method, reference, received_at, currency, credited, filled_debt, spent, reversed_at
FROM lots
WHERE subject = :subject
ORDER BY received_at, version;

-- name: allocations_of
-- What a lot paid for, in the order of the log.
SELECT subject, version, amount, currency FROM allocations WHERE lot = :lot ORDER BY position, line;
