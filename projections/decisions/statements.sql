-- name: decide
-- Notes where a fact stands and what it rests on.
INSERT INTO decisions (position, subject, version, type, effective_at, recorded_at, caused_by, basis, code, due)
VALUES (:position, :subject, :version, :type, :effective_at, :recorded_at, :caused_by, :basis, :code, :due);
