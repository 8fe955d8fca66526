-- name: refunds_of
-- A subscriber's refunds, oldest first.
SELECT id, requested_at, reason, decided_at, approved, reviewer, due_at, currency, amount, fee, method, paid_at,
    paid_currency, paid, reference
FROM refunds
WHERE subject = :subject
ORDER BY COALESCE(requested_at, due_at), id;

-- name: disputes_of
-- A subscriber's disputes, oldest first.
SELECT id, charge, opened_at, reason, resolved_at, upheld, reviewer, resolution
FROM disputes
WHERE subject = :subject
ORDER BY opened_at, id;
