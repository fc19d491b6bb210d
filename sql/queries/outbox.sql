-- Events on their way out (app/gateway/sender.py). They are written by triggers, see put_event.

-- name: due
-- $1 target, $2 most: the first waiting event of each subject, if it is due.
SELECT
    q.n, q.attempts, o.id, o.type, o.subject, o.sequence, o.region, o.at, o.data, o.trace
FROM outbox_queue AS q INNER JOIN outbox AS o ON q.n = o.n
WHERE
    q.target_id = $1 AND q.due_at <= now()
    AND NOT EXISTS (
        SELECT FROM outbox_queue AS e WHERE e.target_id = q.target_id AND e.subject = q.subject AND e.n < q.n
    )
ORDER BY q.n
LIMIT $2;

-- name: carry
-- Events of this transaction go on with a trace: $1 traceparent.
SELECT set_config('postrider.trace', $1, true);

-- name: traces
-- $1 subjects: the trace of each one's first event, where it has one.
SELECT o.subject, o.trace FROM outbox AS o
WHERE o.subject = ANY($1::uuid []) AND o.sequence = 1 AND o.trace IS NOT NULL;

-- name: sent
-- $1 target, $2 numbers.
DELETE FROM outbox_queue WHERE target_id = $1 AND n = ANY($2::bigint []);

-- name: again
-- $1 target, $2 number, $3 when.
UPDATE outbox_queue SET attempts = attempts + 1, due_at = $3 WHERE target_id = $1 AND n = $2;

-- name: waiting
-- How many wait for somebody who still gets them, and how long the oldest has.
SELECT
    count(*) AS n,
    coalesce(extract(EPOCH FROM now() - min(o.written_at)), 0)::float8 AS oldest_s
FROM outbox_queue AS q
INNER JOIN outbox AS o ON q.n = o.n
INNER JOIN event_targets AS t ON q.target_id = t.id
WHERE t.off_at IS NULL;

-- name: put
-- An event that no trigger writes: $1 type, $2 subject, $3 region, $4 now, $5 data.
SELECT put_event($1, $2, $3, $4, NULL, $5::jsonb);

-- name: put_for
-- An event for one target only: $1 target, $2 type, $3 region, $4 now, $5 data. Nothing when the target is gone.
WITH step AS (
    INSERT INTO outbox_heads AS h (subject, sequence, at)
    SELECT t.id, 1, $4 FROM event_targets AS t WHERE t.id = $1 FOR KEY SHARE
    ON CONFLICT (subject) DO UPDATE SET sequence = h.sequence + 1, at = excluded.at
    RETURNING h.sequence
),

put AS (
    INSERT INTO outbox (type, subject, sequence, region, at, data)
    SELECT $2, $1, s.sequence, $3, $4, $5::jsonb FROM step AS s
    RETURNING n, id
),

queued AS (
    INSERT INTO outbox_queue (target_id, n, subject) SELECT $1, p.n, $1 FROM put AS p
)

SELECT p.id FROM put AS p;

-- name: put_again
-- What was delivered or given up, once more: $1 target, $2 delivery. The event's id, or nothing.
WITH wanted AS (
    SELECT o.n, o.subject, o.id
    FROM event_deliveries AS d
    INNER JOIN outbox AS o ON d.n = o.n
    INNER JOIN event_targets AS t ON d.target_id = t.id
    WHERE d.target_id = $1 AND d.id = $2
    FOR KEY SHARE OF t, o
),

queued AS (
    INSERT INTO outbox_queue (target_id, n, subject) SELECT $1, w.n, w.subject FROM wanted AS w
    ON CONFLICT (target_id, n) DO UPDATE SET due_at = now()
)

SELECT w.id FROM wanted AS w;
