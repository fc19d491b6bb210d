-- name: lose
-- Whoever made these is gone: not heard of since $1. $2 now.
UPDATE day_plans SET state = 'failed', reason = 'whoever made it is gone', finished_at = $2
WHERE state IN ('waiting', 'running') AND beat_at < $1;

-- name: forget
-- Older than $1.
DELETE FROM day_plans WHERE created_at < $1 AND state NOT IN ('waiting', 'running');

-- name: insert
-- $1 region, $2, $3 the day, $4 seconds, $5 who asks, $6 now, $7 the depot, where a wave is planned. No row: one is being
-- made for the region.
INSERT INTO day_plans (region, starts_at, ends_at, seconds, asked_by, created_at, beat_at, wave_depot)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
ON CONFLICT (region) WHERE state IN ('waiting', 'running') DO NOTHING
RETURNING id;

-- name: get
SELECT id, region, starts_at, ends_at, seconds, state, progress, plan, reason, asked_by, created_at, beat_at, finished_at,
    wave_depot
FROM day_plans WHERE id = $1;

-- name: glance
-- How far it is, without the plan.
SELECT state, progress, beat_at FROM day_plans WHERE id = $1;

-- name: lock
SELECT id, region, starts_at, ends_at, seconds, state, progress, plan, reason, asked_by, created_at, beat_at, finished_at,
    wave_depot
FROM day_plans WHERE id = $1 FOR UPDATE;

-- name: begin
UPDATE day_plans SET state = 'running', beat_at = $2 WHERE id = $1 AND state = 'waiting'
RETURNING id, region, starts_at, ends_at, seconds, wave_depot;

-- name: beat
-- $1 plans of this process, $2 now, $3 the one being made, $4 its progress. Returns those that are still wanted.
UPDATE day_plans SET beat_at = $2, progress = CASE WHEN id = $3 THEN $4::jsonb ELSE progress END
WHERE id = ANY($1::uuid[]) AND state IN ('waiting', 'running')
RETURNING id;

-- name: finish
-- $1 plan, $2 state, $3 the plan, $4 why not, $5 progress, $6 when.
UPDATE day_plans SET state = $2, plan = $3::jsonb, reason = $4, progress = $5::jsonb, finished_at = $6, beat_at = $6
WHERE id = $1 AND state IN ('waiting', 'running');

-- name: cancel
UPDATE day_plans SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state IN ('waiting', 'running')
RETURNING id;

-- name: applied
UPDATE day_plans SET state = 'applied', finished_at = $2 WHERE id = $1;

-- name: couriers
-- Everybody of region $1 who has a shift between $2 and $3, on duty now or not.
SELECT c.id, c.region, c.mode, c.name, c.capacity, c.skills, c.max_orders, c.on_duty, true AS by_shifts,
    c.areas, c.home_lat, c.home_lon, c.range_m,
    c.partner, coalesce(r.settings -> 'dispatch' ->> 'partners' = 'apart', false) AS apart
FROM couriers AS c LEFT JOIN regions AS r ON c.region = r.id
WHERE
    c.region = $1 AND c.deleted_at IS NULL
    AND EXISTS (SELECT FROM shifts AS s WHERE s.courier_id = c.id AND s.starts_at < $3 AND s.ends_at > $2)
ORDER BY c.id;

-- name: shifts
-- Of couriers $1, those between $2 and $3.
SELECT s.id, s.courier_id, s.starts_at, s.ends_at, s.breaks, s.end_lat, s.end_lon, s.start_lat, s.start_lon, s.created_at, s.series_id
FROM shifts AS s
WHERE s.courier_id = ANY($1::uuid[]) AND s.starts_at < $3 AND s.ends_at > $2
ORDER BY s.courier_id, s.starts_at;

-- name: orders
-- Ids of what nobody has in region $1 and can be collected or delivered from $2 on, before $3; at most $4.
SELECT o.id FROM orders AS o
WHERE
    o.region = $1 AND o.state = 'placed'
    AND greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at, o.dropoff_opens_at) >= $2
    AND greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at, o.dropoff_opens_at) < $3
ORDER BY o.placed_at, o.id
LIMIT $4;

-- name: wave_orders
-- Ids of what nobody has in region $1 and is to be handed over from depot $2, and opens before $3; at most $4.
SELECT o.id FROM orders AS o
WHERE
    o.region = $1 AND o.state = 'placed' AND o.kind = 'dropoff' AND o.depot = $2
    AND greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at, o.dropoff_opens_at) < $3
ORDER BY o.placed_at, o.id
LIMIT $4;

-- name: past_orders
-- Ids of what was handed over from depot $2 of region $1, placed from $3 on and before $4 (several spans); of each at
-- most $5, and its number.
SELECT u.n, o.id
FROM unnest($3::timestamptz [], $4::timestamptz []) WITH ORDINALITY AS u (starts_at, ends_at, n)
CROSS JOIN LATERAL (
    SELECT p.id FROM orders AS p
    WHERE
        p.region = $1 AND p.placed_at >= u.starts_at AND p.placed_at < u.ends_at
        AND p.kind = 'dropoff' AND p.depot = $2
    ORDER BY p.placed_at, p.id
    LIMIT $5
) AS o
ORDER BY u.n, o.id;

-- name: take_out
-- $1 region, $2 orders (as text), $3 when: takes them out of all routes of the region that intend them.
UPDATE routes AS r SET
    version = r.version + 1,
    updated_at = $3,
    stops = coalesce(
        (
            SELECT jsonb_agg(s.stop ORDER BY s.n)
            FROM jsonb_array_elements(r.stops) WITH ORDINALITY AS s (stop, n)
            WHERE NOT s.stop ->> 'order_id' = ANY($2::text[])
        ),
        '[]'
    )
WHERE
    r.region = $1
    AND EXISTS (SELECT FROM jsonb_array_elements(r.stops) AS s (stop) WHERE s.stop ->> 'order_id' = ANY($2::text[]))
RETURNING r.courier_id, r.version;
