-- name: request
-- A refund was asked for.
INSERT INTO refunds (id, subject, requested_at, reason, method)
VALUES (:id, :subject, :requested_at, :reason, :method);

-- name: decide
-- A reviewer granted or declined it.
-- key: refund
UPDATE refunds SET decided_at = :decided_at, approved = :approved, reviewer = :reviewer, review = :review
WHERE id = :refund;

-- name: owe
-- The money is owed, requested or not.
INSERT INTO refunds (id, subject, due_at, currency, amount, fee, method)
VALUES (:refund, :subject, :due_at, :currency, :amount, :fee, :method)
ON CONFLICT (id) DO UPDATE SET
    due_at = excluded.due_at,
    currency = excluded.currency,
    amount = excluded.amount,
    fee = excluded.fee,
    method = COALESCE(excluded.method, refunds.method);

-- name: pay
-- The money reached the subscriber.
-- key: refund
UPDATE refunds SET
    paid_at = :paid_at, paid_currency = :paid_currency, paid = :paid, rate = :rate, method = :method,
    reference = :reference
WHERE id = :refund;

-- name: open
-- A charge is disputed.
INSERT INTO disputes (id, subject, charge, opened_at, reason) VALUES (:id, :subject, :charge, :opened_at, :reason);

-- name: resolve
-- A reviewer decided the dispute.
-- key: dispute
UPDATE disputes SET resolved_at = :resolved_at, upheld = :upheld, reviewer = :reviewer, resolution = :resolution
WHERE id = :dispute;
