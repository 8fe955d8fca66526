-- name: calls_of
-- A subscriber's calls and messages, one row each, in the order in which they were first charged.
SELECT usage, number, service, MIN(effective_at), SUM(minutes), SUM(units), SUM(included), currency, SUM(amount),
    MAX(elapsed_seconds), MAX(CASE WHEN ended THEN 1 ELSE 0 END), MAX(CASE WHEN cut_off THEN 1 ELSE 0 END)
FROM usage_reports
WHERE subject = :subject
GROUP BY usage, number, service, currency
ORDER BY MIN(position);
