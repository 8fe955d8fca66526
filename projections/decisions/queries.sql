-- name: decision
-- The decision that a fact records.
SELECT position, type, effective_at, recorded_at, caused_by, basis, code, due
FROM decisions
WHERE subject = :subject AND version = :version;

-- name: refusals
-- How often each code was answered with.
SELECT code, COUNT(*) FROM decisions WHERE code IS NOT NULL GROUP BY code ORDER BY code;
