-- Ways to tell people (app/messages).

-- name: list
SELECT
    c.id, c.service, c.description, c.audience, c.kinds, c.region, c.language, c.quiet_from, c.quiet_to, c.group_s,
    c.after_s, c.created_at, c.said_at, c.last_error,
    (SELECT count(*) FROM messages AS m WHERE m.channel_id = c.id AND m.done_at IS NULL) AS n_waiting
FROM channels AS c
WHERE c.push IS NULL AND ($1::uuid IS NULL OR c.id = $1)
ORDER BY c.created_at, c.id;

-- name: count
SELECT count(*) FROM channels WHERE push IS NULL;

-- name: add
-- $1 address, $2 service, $3 description, $4 audience, $5 kinds, $6 region, $7 language, $8 quiet from, $9 quiet to,
-- $10 seconds that are said together, $11 seconds until it is told.
INSERT INTO channels (url, service, description, audience, kinds, region, language, quiet_from, quiet_to, group_s, after_s)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id;

-- name: get
SELECT url, audience FROM channels WHERE id = $1 AND push IS NULL;

-- name: lock
SELECT url, service, description, audience, kinds, region, language, quiet_from, quiet_to, group_s, after_s
FROM channels WHERE id = $1 AND push IS NULL FOR NO KEY UPDATE;

-- name: change
-- As `add`; $1 channel. Whatever went wrong with it went wrong before.
UPDATE channels SET
    url = $2, service = $3, description = $4, kinds = $5, region = $6, language = $7, quiet_from = $8, quiet_to = $9,
    group_s = $10, after_s = $11, n_failures = 0, rests_until = NULL, last_error = NULL
WHERE id = $1;

-- name: delete
DELETE FROM channels WHERE id = $1 AND push IS NULL RETURNING id;

-- name: claim
-- $1 now, $2 until when, $3 most: channels that have something due, nobody sends to, and are not left alone.
UPDATE channels SET held_until = $2
WHERE id = ANY(ARRAY(
    SELECT c.id FROM channels AS c
    WHERE
        (c.held_until IS NULL OR c.held_until < $1) AND (c.rests_until IS NULL OR c.rests_until <= $1)
        AND (c.token_id IS NULL OR EXISTS (
            SELECT FROM tokens AS t LEFT JOIN users AS u ON t.user_id = u.id
            WHERE t.id = c.token_id AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $1)
                AND (t.user_id IS NULL OR u.deleted_at IS NULL)
        ))
        AND EXISTS (
            SELECT FROM messages AS m
            WHERE m.channel_id = c.id AND m.done_at IS NULL
                AND m.due_at <= $1 - make_interval(secs => c.group_s)
        )
    ORDER BY c.said_at NULLS FIRST LIMIT $3 FOR UPDATE SKIP LOCKED
))
RETURNING id, url, audience, region, language, quiet_from, quiet_to, n_failures, push;

-- name: let_go
UPDATE channels SET held_until = NULL WHERE id = $1;

-- name: is_well
-- $2 now.
UPDATE channels SET held_until = NULL, n_failures = 0, rests_until = NULL, said_at = $2, last_error = NULL WHERE id = $1;

-- name: has_failed
-- $2 until when it is left alone, $3 why.
UPDATE channels SET held_until = NULL, n_failures = n_failures + 1, rests_until = $2, last_error = $3 WHERE id = $1;

-- name: hold_back
-- $2 until when: what is due waits, for it is night.
UPDATE messages SET due_at = $2 WHERE channel_id = $1 AND done_at IS NULL AND due_at < $2;

-- name: time_zone
-- $1 region, or NULL: the only one's, or any's.
SELECT timezone FROM regions WHERE $1::text IS NULL OR id = $1 ORDER BY id LIMIT 1;

-- name: due
-- $1 channel, $2 now, $3 most.
SELECT
    m.id, m.key, m.kind, m.attempts, m.order_id,
    a.region AS alert_region, a.acknowledged_at, a.resolved_at, a.snoozed_until, a.raised_at,
    k.name AS courier_name, ao.external_id AS alert_order, a.order_id AS alert_order_id,
    o.state AS order_state, o.dropoff_contact, o.region AS order_region, o.dropoff_address, o.pickup_address,
    r.settings, r.name AS region_title, r.timezone,
    EXISTS (
        SELECT FROM offers AS f WHERE f.order_id = m.order_id AND f.state = 'open' AND f.courier_id = c.courier_id
    ) AS is_offered,
    CASE WHEN m.kind = 'on_its_way' THEN (
        SELECT e.facts -> 'missing' FROM order_events AS e
        WHERE e.order_id = m.order_id AND e.action = 'picked_up' ORDER BY e.id DESC LIMIT 1
    ) END AS missing
FROM messages AS m
INNER JOIN channels AS c ON m.channel_id = c.id
LEFT JOIN alerts AS a ON m.alert_id = a.id
LEFT JOIN couriers AS k ON a.courier_id = k.id
LEFT JOIN orders AS ao ON a.order_id = ao.id
LEFT JOIN orders AS o ON m.order_id = o.id
LEFT JOIN regions AS r ON r.id = coalesce(a.region, o.region)
WHERE m.channel_id = $1 AND m.done_at IS NULL AND m.due_at <= $2
ORDER BY m.id
LIMIT $3;

-- name: done
-- $1 messages, $2 now, $3 what became of them.
UPDATE messages SET done_at = $2, outcome = $3 WHERE id = ANY($1::bigint[]) AND done_at IS NULL;

-- name: tried
-- $1 messages: they are being sent.
UPDATE messages SET attempts = attempts + 1 WHERE id = ANY($1::bigint[]);

-- name: not_told
-- Orders on board whose recipients are to be told that they arrive soon, and were not.
SELECT o.id
FROM orders AS o
WHERE
    o.state = 'picked_up' AND o.kind IN ('delivery', 'dropoff') AND o.dropoff_contact IS NOT NULL
    AND EXISTS (
        SELECT FROM channels AS c
        WHERE c.audience = 'recipients' AND (c.region IS NULL OR c.region = o.region)
            AND (c.kinds = '{}' OR 'arriving' = ANY(c.kinds))
            AND NOT EXISTS (
                SELECT FROM messages AS m WHERE m.channel_id = c.id AND m.key = 'order:' || o.id || ':arriving'
            )
    )
ORDER BY o.picked_up_at
LIMIT 2000;

-- name: say_arriving
SELECT say_of_order(o.id, 'arriving') FROM unnest($1::uuid[]) AS o (id);

-- name: waiting
SELECT count(*) AS n, coalesce(extract(EPOCH FROM now() - min(due_at)), 0)::float8 AS oldest_s
FROM messages WHERE done_at IS NULL AND due_at <= now();

-- name: n_of_token
-- $1 token, $2 a browser: how many others there are.
SELECT count(*) FROM channels WHERE token_id = $1 AND push ->> 'endpoint' <> $2;

-- name: add_push
-- $1 a browser, $2 audience, $3 courier, $4 token, $5 region, $6 language. One that is known is this token's now.
INSERT INTO channels (url, service, push, audience, courier_id, token_id, region, language, group_s)
VALUES ('', 'Web Push', $1, $2, $3, $4, $5, $6, 0)
ON CONFLICT ((push ->> 'endpoint')) WHERE push IS NOT NULL DO UPDATE SET
    push = excluded.push, audience = excluded.audience, courier_id = excluded.courier_id, token_id = excluded.token_id,
    region = excluded.region, language = excluded.language;

-- name: delete_push
DELETE FROM channels WHERE token_id = $1 AND push ->> 'endpoint' = $2;

-- name: forget_push
-- The browser is gone.
DELETE FROM channels WHERE id = $1 AND push IS NOT NULL;
