-- Events from other systems (app/gateway/inbox.py).

-- name: claim
-- $1 way, $2 source, $3 event id, $4 type, $5 subject. Its number, or nothing when it came before.
INSERT INTO inbox (way, source, event_id, type, subject, state) VALUES ($1, $2, $3, $4, $5, 'done')
ON CONFLICT (source, event_id) DO NOTHING
RETURNING n, id, attempts, received_at;

-- name: waits
-- $1 number, $2 seconds until it is tried again, $3 why, $4 body.
UPDATE inbox
SET state = 'waiting', attempts = attempts + 1, due_at = now() + make_interval(secs => $2), reason = $3, body = $4
WHERE n = $1;

-- name: is_dead
-- $1 number, $2 why, $3 body.
UPDATE inbox SET state = 'dead', attempts = attempts + 1, due_at = NULL, reason = $2, body = $3 WHERE n = $1;

-- name: is_done
-- $1 number, $2 subject.
UPDATE inbox SET state = 'done', subject = $2, due_at = NULL, reason = NULL, body = NULL WHERE n = $1;

-- name: hold_head
-- $1 source, $2 subject: the last number that had its effect; who asks next waits.
INSERT INTO inbox_heads AS h (source, subject, sequence, at) VALUES ($1, $2, 0, now())
ON CONFLICT (source, subject) DO UPDATE SET at = excluded.at
RETURNING h.sequence;

-- name: advance
-- $3 number.
UPDATE inbox_heads SET sequence = $3 WHERE source = $1 AND subject = $2;

-- name: wake
-- Those that wait for something about the subject.
UPDATE inbox SET due_at = now() WHERE state = 'waiting' AND subject = $1 AND due_at > now();

-- name: due
-- $1 most.
SELECT n FROM inbox WHERE state = 'waiting' AND due_at <= now() ORDER BY due_at LIMIT $1;

-- name: get
SELECT way, body FROM inbox WHERE n = $1;

-- name: take_due
-- $1 number: nothing while another process has it, or when it is not due any more.
SELECT n, id, way, attempts, received_at, body FROM inbox
WHERE n = $1 AND state = 'waiting' AND due_at <= now()
FOR UPDATE SKIP LOCKED;

-- name: kept
-- How many are kept with their body, counted up to $1.
SELECT count(*) AS n FROM (SELECT FROM inbox AS i WHERE i.state <> 'done' LIMIT $1) AS found;

-- name: states
SELECT
    i.way, count(*) FILTER (WHERE i.state = 'waiting') AS n_waiting, count(*) FILTER (WHERE i.state = 'dead') AS n_dead
FROM inbox AS i WHERE i.state <> 'done'
GROUP BY i.way;

-- name: dead
-- The oldest first.
SELECT n, id, way, source, event_id, type, subject, received_at, attempts, reason FROM inbox WHERE state = 'dead'
ORDER BY n;

-- name: replay
-- $1 which one, or NULL for all: tried anew, as if it came now.
UPDATE inbox SET state = 'waiting', attempts = 0, due_at = now(), received_at = now()
WHERE state = 'dead' AND ($1::uuid IS NULL OR id = $1);
