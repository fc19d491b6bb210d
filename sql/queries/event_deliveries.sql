-- name: add
-- $1 target, $2 event, $3 when, $4 which attempt, $5 status, $6 milliseconds, $7 answer, $8 error, $9 when again.
-- Of an event that was erased meanwhile there is nothing to tell.
INSERT INTO event_deliveries (target_id, n, at, attempt, status, took_ms, answer, error, again_at)
SELECT $1, o.n, $3, $4, $5, $6, $7, $8, $9 FROM outbox AS o WHERE o.n = $2 FOR KEY SHARE;

-- name: list
-- Of a target, the newest first: $1 target, $2 the last one seen or NULL, $3 most.
SELECT
    d.id AS delivery_id, d.at AS tried_at, d.attempt, d.status, d.took_ms, d.answer, d.error, d.again_at,
    o.id, o.type, o.subject, o.sequence, o.region, o.at, o.data
FROM event_deliveries AS d INNER JOIN outbox AS o ON d.n = o.n
WHERE d.target_id = $1 AND ($2::bigint IS NULL OR d.id < $2)
ORDER BY d.id DESC
LIMIT $3;
