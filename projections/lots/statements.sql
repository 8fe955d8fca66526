-- name: open_lot
-- Opens a lot; what fills its subscriber's debt is not left in it.
-- lane: lots
INSERT INTO lots (
    id, subject, version, kind, method, reference, received_at, currency, credited, filled_debt, spent
) VALUES (
    :id, :subject, :version, :kind, :method, :reference, :received_at, :currency, :credited,
    COALESCE(
        (
            SELECT CASE WHEN debts.amount < :credited THEN debts.amount ELSE :credited END
            FROM debts
            WHERE debts.subject = :subject
        ),
        0
    ),
    0
);

-- name: fill_debt
-- Takes what came in off the subscriber's debt, as far as there is one.
-- key: subject
-- sum: amount
-- lane: lots
UPDATE debts SET amount = CASE WHEN amount < :amount THEN 0 ELSE amount - :amount END WHERE subject = :subject;

-- name: owe
-- Adds to the subscriber's debt.
-- key: subject
-- sum: amount
-- lane: lots
INSERT INTO debts (subject, amount) VALUES (:subject, :amount)
ON CONFLICT (subject) DO UPDATE SET amount = debts.amount + excluded.amount;

-- name: spend
-- Takes from a lot, or puts back where the amount is negative.
-- key: lot
-- sum: amount
UPDATE lots SET spent = spent + :amount WHERE id = :lot;

-- name: allocate
-- Notes which lot paid for a fact.
INSERT INTO allocations (position, line, subject, version, lot, currency, amount)
VALUES (:position, :line, :subject, :version, :lot, :currency, :amount);

-- name: reverse_lot
-- Marks a deposit as charged back.
-- key: lot
UPDATE lots SET reversed_at = :reversed_at WHERE id = :lot;
