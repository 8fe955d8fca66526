-- name: sum_until
-- What a subscriber's facts sum to, of those in effect before one instant and known before another.
SELECT COALESCE(SUM(amount), 0), COALESCE(SUM(outstanding), 0)
FROM statement_lines
WHERE subject = :subject AND effective_at <= :as_of AND recorded_at <= :known_at;

-- name: sum_before
-- What a subscriber's facts sum to that took effect before an instant.
SELECT COALESCE(SUM(amount), 0), COALESCE(SUM(outstanding), 0)
FROM statement_lines
WHERE subject = :subject AND effective_at < :start;

-- name: lines
-- A subscriber's lines that took effect in a span of time, in the order in which they count.
SELECT version, type, effective_at, recorded_at, number, service, detail, period_start, period_end, amount, outstanding
FROM statement_lines
WHERE subject = :subject AND effective_at >= :start AND effective_at < :end
ORDER BY effective_at, position;
