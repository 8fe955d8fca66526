-- name: dues_of
-- What waits for a subscriber's money, in the order of the queue.
SELECT version, kind, number, since, due_at, outstanding, currency
FROM dues
WHERE subject = :subject AND closed_at IS NULL
ORDER BY since, version;

-- name: invoices_due
-- Open invoices whose day comes by an instant.
SELECT subject, due_at FROM dues WHERE closed_at IS NULL AND due_at IS NOT NULL AND due_at <= :until;

-- name: orders_without_funds
-- Orders of subscribers who never paid anything in.
SELECT dues.subject, dues.since, agreements.registered_at, agreements.regulations
FROM dues
JOIN agreements ON agreements.subject = dues.subject
WHERE dues.kind = 'order' AND dues.closed_at IS NULL AND agreements.funded_at IS NULL;
