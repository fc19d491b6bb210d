-- name: by_size
-- Regions, and whether each is large: by its couriers at work and its open orders of the next hours, $3 of them together
-- (0: never), or half as many where the crew of large regions ($2) of job $1 has it; and whether anybody of that crew
-- lives.
SELECT
    r.id,
    $3::int > 0 AND sized.n >= CASE WHEN ours.are_there THEN $3 / 2 ELSE $3 END AS is_large,
    EXISTS (
        SELECT FROM lease_holders AS h WHERE h.job = $2 AND h.expires_at > clock_timestamp()
    ) AS lives
FROM regions AS r
CROSS JOIN LATERAL (
    SELECT
        (SELECT count(*) FROM couriers AS c WHERE c.region = r.id AND c.deleted_at IS NULL AND c.on_duty)
        + (
            SELECT count(*) FROM orders AS o
            WHERE o.region = r.id AND o.state IN ('assigned', 'accepted', 'picked_up', 'returning')
        )
        + (
            SELECT count(*) FROM orders AS o
            WHERE
                o.region = r.id AND o.state = 'placed'
                AND greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at) <= now() + interval '2 hours'
        ) AS n
) AS sized
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM leases AS l INNER JOIN lease_holders AS h ON l.holder = h.holder AND h.job = $2
        WHERE l.job = $1 AND l.region = r.id AND l.expires_at > clock_timestamp()
    ) AS are_there
) AS ours
ORDER BY r.id;

-- name: regions
SELECT id, settings FROM regions ORDER BY id;

-- name: couriers
-- Everybody who is on duty in a region ($1), is asked about ($2), still has an order there (and may be off duty, gone or
-- elsewhere now), or has a route that was planned ahead for a shift that has not begun, or has just.
SELECT
    c.id, $1::text AS region, c.mode, c.name, c.capacity, c.skills, c.max_orders, c.areas, c.home_lat, c.home_lon, c.range_m,
    c.on_duty AND c.deleted_at IS NULL AND c.region = $1 AS on_duty,
    -- As the region says, else whoever has had a shift: without one they are off, not at work around the clock.
    CASE r.settings -> 'dispatch' ->> 'without_shift'
        WHEN 'work' THEN false WHEN 'off' THEN true ELSE c.has_shifts
    END AS by_shifts,
    c.partner, coalesce(r.settings -> 'dispatch' ->> 'partners' = 'apart', false) AS apart
FROM couriers AS c
LEFT JOIN regions AS r ON r.id = $1
WHERE
    (c.region = $1 AND c.deleted_at IS NULL AND (c.on_duty OR c.id = ANY($2::uuid[])))
    OR EXISTS (
        SELECT FROM orders AS o
        WHERE o.region = $1 AND o.courier_id = c.id AND o.state IN ('assigned', 'accepted', 'picked_up', 'returning')
    )
    OR (
        c.region = $1 AND c.deleted_at IS NULL AND NOT c.on_duty
        AND EXISTS (SELECT FROM routes AS r WHERE r.courier_id = c.id AND r.stops <> '[]')
        AND EXISTS (SELECT FROM shifts AS s WHERE s.courier_id = c.id AND s.ends_at > now())
    )
ORDER BY c.id;

-- name: off_duty
-- Couriers of region $1 who are not at work, so many ($2) of them: those who changed last.
SELECT id, name FROM couriers
WHERE region = $1 AND deleted_at IS NULL AND NOT on_duty
ORDER BY updated_at DESC, id LIMIT $2;

-- name: abilities
-- What the couriers of region $1 can do, at work or not.
SELECT DISTINCT
    c.mode, c.skills, c.capacity, c.areas, c.home_lat, c.home_lon, c.range_m,
    c.partner, coalesce(r.settings -> 'dispatch' ->> 'partners' = 'apart', false) AS apart
FROM couriers AS c LEFT JOIN regions AS r ON c.region = r.id
WHERE c.region = $1 AND c.deleted_at IS NULL;

-- name: areas
-- Fences of region $1 that couriers serve, and the region's boundary (without an id).
SELECT g.id, g.geometry::text AS geometry, g.radius_m FROM geofences AS g
WHERE
    g.region = $1 AND g.deleted_at IS NULL
    AND g.id IN (SELECT unnest(c.areas) FROM couriers AS c WHERE c.region = $1 AND c.deleted_at IS NULL)
UNION ALL
SELECT NULL, r.settings ->> 'boundary', NULL FROM regions AS r
WHERE r.id = $1 AND r.settings -> 'dispatch' ->> 'area' = 'boundary' AND r.settings -> 'boundary' <> 'null';

-- name: serve
-- Who serves fence $1.
SELECT id FROM couriers WHERE $1::uuid = ANY(areas) AND deleted_at IS NULL ORDER BY id LIMIT 20;

-- name: unknown_areas
-- Which of fences ($2) region $1 does not have.
SELECT given.id FROM unnest($2::uuid[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM geofences AS g WHERE g.id = given.id AND g.region = $1 AND g.deleted_at IS NULL);

-- name: courier_region
SELECT region FROM couriers WHERE id = $1 AND deleted_at IS NULL;

-- name: duty
SELECT region, on_duty FROM couriers WHERE id = $1 AND deleted_at IS NULL;

-- name: set_duty
UPDATE couriers SET
    on_duty = $2, version = version + 1, updated_at = $3,
    lapses_from = CASE WHEN $2 THEN $3::timestamptz ELSE lapses_from END
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, region, on_duty, version;

-- name: hold_at_work
-- Of couriers ($1) those on duty, who stay so until the transaction ends.
SELECT id FROM couriers WHERE id = ANY($1::uuid[]) AND on_duty AND deleted_at IS NULL ORDER BY id FOR SHARE;

-- name: lock_courier
SELECT id, region, on_duty FROM couriers WHERE id = $1 AND deleted_at IS NULL FOR UPDATE;

-- name: troubled
-- Couriers who get nothing new now: $1 region, $2 kinds of alerts. `lost`: what they have not collected is taken away, too,
-- because they are stuck, or the alert is older than $3. While the intake is silent nobody is lost: it is us.
SELECT
    courier_id,
    bool_or(kind = 'stuck' OR raised_at <= $3) AND NOT EXISTS (
        SELECT FROM alerts AS ours
        WHERE ours.region = $1 AND ours.kind = 'intake_silent' AND ours.resolved_at IS NULL
    ) AS lost
FROM alerts
WHERE region = $1 AND resolved_at IS NULL AND kind = ANY($2::text[])
GROUP BY courier_id;

-- name: lock_region
-- Taken before the region's orders by what changes many of them after a comparison. Nobody else waits for it.
SELECT id FROM regions WHERE id = $1 FOR NO KEY UPDATE;

-- name: basis
-- What a preview of region $1 was made from, as a digest: changes whenever an open order, who is on duty or a route does.
SELECT left(encode(sha256(convert_to(concat_ws(
    ';',
    (
        SELECT string_agg(concat(o.id, ':', o.version), ',' ORDER BY o.id) FROM orders AS o
        WHERE o.region = $1 AND o.state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning')
    ),
    (
        SELECT string_agg(c.id::text, ',' ORDER BY c.id) FROM couriers AS c
        WHERE c.region = $1 AND c.deleted_at IS NULL AND c.on_duty
    ),
    (
        SELECT string_agg(concat(r.courier_id, ':', r.version), ',' ORDER BY r.courier_id) FROM routes AS r
        WHERE r.region = $1 AND r.version > 0
    )
), 'UTF8')), 'hex'), 32);
