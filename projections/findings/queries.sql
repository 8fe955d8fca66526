-- name: references_credited_twice
-- References that were credited to more than one subscriber, and to whom.
SELECT reference, subject, version
FROM credited_references
WHERE reference IN (SELECT reference FROM credited_references GROUP BY reference HAVING COUNT(*) > 1)
ORDER BY reference, subject;

-- name: free_services_of_holders
-- Free services of holders who have them in more than one account.
SELECT agreements.holder, free_services.subject, free_services.number, free_services.service
FROM free_services
JOIN agreements ON agreements.subject = free_services.subject
WHERE agreements.holder IN (
    SELECT agreements.holder
    FROM free_services
    JOIN agreements ON agreements.subject = free_services.subject
    GROUP BY agreements.holder
    HAVING COUNT(DISTINCT free_services.subject) > 1
)
ORDER BY agreements.holder, free_services.subject, free_services.number;
