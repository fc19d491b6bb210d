-- name: raise_many
-- $1 region, $2 now, $3 source; $4 kinds, $5 couriers or NULL, $6 orders or NULL, $7 facts, $8 expected; of one length.
-- Returns those that were not open already.
INSERT INTO alerts (region, raised_at, source, kind, courier_id, order_id, facts, expected)
SELECT $1, $2, $3, given.kind, given.courier_id, given.order_id, given.facts::jsonb, given.expected::jsonb
FROM unnest($4::text [], $5::uuid [], $6::uuid [], $7::text [], $8::text [])
    AS given (kind, courier_id, order_id, facts, expected)
ON CONFLICT (region, kind, courier_id, order_id, source) WHERE resolved_at IS NULL DO NOTHING
RETURNING
    id, kind, region, courier_id, order_id, raised_at, facts, expected, acknowledged_at, acknowledged_by, resolved_at,
    resolution, source;

-- name: resolve_many
-- $1 region, $2 now, $3 source; $4 kinds, $5 couriers or NULL, $6 orders or NULL, $7 what was seen; of one length. Returns
-- those that were open.
UPDATE alerts AS a SET resolved_at = greatest($2, a.raised_at), resolution = given.facts::jsonb
FROM unnest($4::text [], $5::uuid [], $6::uuid [], $7::text []) AS given (kind, courier_id, order_id, facts)
WHERE
    a.resolved_at IS NULL AND a.region = $1 AND a.source = $3 AND a.kind = given.kind
    AND a.courier_id IS NOT DISTINCT FROM given.courier_id AND a.order_id IS NOT DISTINCT FROM given.order_id
RETURNING
    a.id, a.kind, a.region, a.courier_id, a.order_id, a.raised_at, a.facts, a.expected, a.acknowledged_at,
    a.acknowledged_by, a.resolved_at, a.resolution, a.source;

-- name: open_in_region
-- Those that source $2 has raised and will resolve.
SELECT kind, courier_id, order_id FROM alerts WHERE region = $1 AND source = $2 AND resolved_at IS NULL;

-- name: region_of_source
-- Where an alert of the installation as a whole is, or belongs: $1 source.
SELECT coalesce(
    (SELECT min(a.region) FROM alerts AS a WHERE a.source = $1 AND a.resolved_at IS NULL),
    (SELECT min(r.id) FROM regions AS r)
);

-- name: counts
-- Open alerts by kind, for the metrics.
SELECT kind, count(*) AS n FROM alerts WHERE region = $1 AND resolved_at IS NULL GROUP BY kind;

-- name: list
-- Newest first. Each or NULL: $1 region, $2 state (open, acknowledged, resolved), $3 kind, $4 courier, $5 order; $6, $7
-- the last one seen (raised at, id); $8 most rows; $9 partner. `open` are all that are not resolved.
SELECT
    id, kind, region, courier_id, order_id, raised_at, facts, expected, acknowledged_at, acknowledged_by, assigned_to,
    snoozed_until, resolved_at, resolution, source
FROM alerts
WHERE
    ($1::text IS NULL OR region = $1)
    AND (
        $2::text IS NULL
        OR ($2 = 'open' AND resolved_at IS NULL)
        OR ($2 = 'acknowledged' AND resolved_at IS NULL AND acknowledged_at IS NOT NULL)
        OR ($2 = 'resolved' AND resolved_at IS NOT NULL)
    )
    AND ($3::text IS NULL OR kind = $3)
    AND ($4::uuid IS NULL OR courier_id = $4)
    AND ($5::uuid IS NULL OR order_id = $5)
    AND ($6::timestamptz IS NULL OR (raised_at, id) < ($6, $7::uuid))
    AND (
        $9::text IS NULL
        OR $9 = coalesce(
            (SELECT o.partner FROM orders AS o WHERE o.id = alerts.order_id),
            (SELECT c.partner FROM couriers AS c WHERE c.id = alerts.courier_id)
        )
    )
ORDER BY raised_at DESC, id DESC
LIMIT $8;

-- name: acknowledge
-- $1 alert, $2 now, $3 who. The first to acknowledge counts; a resolved one may be acknowledged too.
UPDATE alerts SET
    acknowledged_at = coalesce(acknowledged_at, greatest($2, raised_at)), acknowledged_by = coalesce(acknowledged_by, $3)
WHERE id = $1
RETURNING
    id, kind, region, courier_id, order_id, raised_at, facts, expected, acknowledged_at, acknowledged_by, assigned_to,
    snoozed_until, resolved_at, resolution, source;

-- name: lock
-- $1 alert. What of it people may change.
SELECT assigned_to, snoozed_until, resolved_at FROM alerts WHERE id = $1 FOR UPDATE;

-- name: assign
-- $1 alert, $2 whose it is, or NULL.
UPDATE alerts SET assigned_to = $2
WHERE id = $1
RETURNING
    id, kind, region, courier_id, order_id, raised_at, facts, expected, acknowledged_at, acknowledged_by, assigned_to,
    snoozed_until, resolved_at, resolution, source;

-- name: snooze
-- $1 alert, $2 until when it rests, or NULL; $3 who said so.
UPDATE alerts SET snoozed_until = $2, snoozed_by = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE $3::text END
WHERE id = $1
RETURNING
    id, kind, region, courier_id, order_id, raised_at, facts, expected, acknowledged_at, acknowledged_by, assigned_to,
    snoozed_until, resolved_at, resolution, source;

-- name: erase
-- What was seen of a courier goes; that there was an alert stays. It is over: nobody is seen any more.
UPDATE alerts SET
    facts = '{}', expected = '{}', resolution = NULL, resolved_at = coalesce(resolved_at, greatest(now(), raised_at))
WHERE courier_id = $1;
