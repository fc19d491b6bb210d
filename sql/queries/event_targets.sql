-- Systems that want events; from `insert` on: over HTTP.

-- name: claim
-- $1 who sends, $2 seconds it is theirs, $3 those they are sending to: these for longer, and those that nobody sends to
-- and that have something due; $4 their ways.
UPDATE event_targets AS t SET holder = $1, held_until = now() + make_interval(secs => $2)
WHERE
    t.off_at IS NULL AND t.way = ANY($4::text [])
    AND (t.holder IS NULL OR t.holder = $1 OR t.held_until < now())
    AND (
        t.id = ANY($3::uuid [])
        OR (
            (t.rests_until IS NULL OR t.rests_until <= now())
            AND EXISTS (SELECT FROM outbox_queue AS q WHERE q.target_id = t.id AND q.due_at <= now())
        )
    )
RETURNING t.id;

-- name: held
-- $2 who sends: what it needs to know, as long as the target is its own.
SELECT id, way, url, secrets, old_secret_until, n_failures
FROM event_targets WHERE id = $1 AND holder = $2 AND off_at IS NULL;

-- name: keep
-- Whether it is still there; nobody deletes it until the transaction is over.
SELECT true FROM event_targets WHERE id = $1 FOR KEY SHARE;

-- name: let_go
UPDATE event_targets SET holder = NULL, held_until = NULL WHERE holder = $1;

-- name: is_well
UPDATE event_targets SET failing_since = NULL, n_failures = 0, rests_until = NULL
WHERE id = $1 AND (failing_since IS NOT NULL OR rests_until IS NOT NULL);

-- name: has_failed
-- $2 now, $3 until when it is left alone.
UPDATE event_targets
SET failing_since = coalesce(failing_since, $2), n_failures = n_failures + 1, rests_until = $3
WHERE id = $1
RETURNING id, failing_since;

-- name: turn_off
-- $2 now, $3 why; nothing when it is off already.
UPDATE event_targets AS t SET off_at = $2, off_reason = $3
WHERE t.id = $1 AND t.off_at IS NULL
RETURNING t.description, coalesce(t.region, (SELECT min(r.id) FROM regions AS r)) AS alert_region;

-- name: for_positions
-- $1 region, $2 ways: who wants to know where its couriers are.
SELECT id, way, url, secrets, old_secret_until, position_every_s, position_couriers
FROM event_targets
WHERE
    off_at IS NULL AND way = ANY($2::text []) AND (region IS NULL OR region = $1)
    AND 'postrider.courier.position' = ANY(types);

-- name: ensure
-- The one target of a broker that the settings name: $1 way. It gets nothing until it is set up.
INSERT INTO event_targets (way, url, secrets, off_at, off_reason) VALUES ($1, '', '{}', now(), 'not set up')
ON CONFLICT DO NOTHING;

-- name: set_up
-- $1 way, $2 what it is, $3 types, $4 seconds between positions, $5 region, $6 of which couriers it gets positions.
UPDATE event_targets SET
    description = $2, types = $3, position_every_s = $4, region = $5, position_couriers = $6,
    off_at = NULL, off_reason = NULL, rests_until = NULL, n_failures = 0, failing_since = NULL
WHERE way = $1;

-- name: dismiss
-- The target of a broker that the settings name no more: $1 way. What waits stays until it is too old.
UPDATE event_targets SET off_at = now(), off_reason = 'not set' WHERE way = $1 AND off_at IS NULL;

-- name: insert
-- $1 address, $2 description, $3 types, $4 region, $5 secrets, $6 seconds between positions, $7 of which couriers.
INSERT INTO event_targets (url, description, types, region, secrets, position_every_s, position_couriers)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING
    id, url, description, types, region, created_at, off_at, off_reason, failing_since, position_every_s,
    position_couriers;

-- name: count
SELECT count(*) AS n FROM event_targets WHERE way = 'webhook';

-- name: list
SELECT
    t.id, t.url, t.description, t.types, t.region, t.created_at, t.off_at, t.off_reason, t.failing_since,
    t.position_every_s, t.position_couriers,
    (SELECT count(*) FROM outbox_queue AS q WHERE q.target_id = t.id) AS n_waiting
FROM event_targets AS t
WHERE t.way = 'webhook' AND ($1::uuid IS NULL OR t.id = $1)
ORDER BY t.created_at, t.id;

-- name: lock
SELECT id, url, description, types, region, off_at, position_every_s, position_couriers
FROM event_targets WHERE id = $1 AND way = 'webhook' FOR NO KEY UPDATE;

-- name: change
-- $2 address, $3 description, $4 types, $5 region, $6 whether it is on, $7 now, $8 seconds between positions, $9 of which
-- couriers. Turned on again it begins well.
UPDATE event_targets SET
    url = $2, description = $3, types = $4, region = $5, position_every_s = $8, position_couriers = $9,
    off_at = CASE WHEN $6 THEN NULL ELSE coalesce(off_at, $7) END,
    off_reason = CASE WHEN $6 THEN NULL ELSE coalesce(off_reason, 'turned off') END,
    failing_since = CASE WHEN $6 AND off_at IS NULL THEN failing_since END,
    n_failures = CASE WHEN $6 AND off_at IS NULL THEN n_failures ELSE 0 END,
    rests_until = NULL
WHERE id = $1
RETURNING coalesce(region, (SELECT min(r.id) FROM regions AS r)) AS alert_region;

-- name: due_now
-- What waits is tried at once.
UPDATE outbox_queue SET due_at = now() WHERE target_id = $1 AND due_at > now();

-- name: rotate
-- $2 the new secret, $3 until when the one before signs as well.
UPDATE event_targets SET secrets = ARRAY[$2::text, secrets[1]], old_secret_until = $3
WHERE id = $1 AND way = 'webhook'
RETURNING id;

-- name: delete
DELETE FROM event_targets WHERE id = $1 AND way = 'webhook' RETURNING id;
