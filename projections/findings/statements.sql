-- name: credit
-- A reference was credited to a subscriber.
INSERT INTO credited_references (reference, subject, version) VALUES (:reference, :subject, :version);

-- name: free
-- A number's service costs nothing.
-- key: subject, number
INSERT INTO free_services (subject, number, service) VALUES (:subject, :number, :service)
ON CONFLICT (subject, number) DO UPDATE SET service = excluded.service;

-- name: not_free
-- A number's service costs something, or is gone.
DELETE FROM free_services WHERE subject = :subject AND number = :number;

-- name: renumber
-- A free service goes on under another number.
UPDATE free_services SET number = :new_number WHERE subject = :subject AND number = :number;
