-- name: arrive
-- $1 order, $2 kind, $3 courier, $4 region, $5 when. No row: it was known.
INSERT INTO stop_visits (order_id, kind, courier_id, region, arrived_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING order_id;

-- name: arrived_at
-- $1 order, $2 kind, $3 courier.
SELECT arrived_at FROM stop_visits WHERE order_id = $1 AND kind = $2 AND courier_id = $3;

-- name: depart
-- $1 order, $2 kind, $3 courier, $4 when. The first departure counts.
UPDATE stop_visits SET departed_at = greatest($4, arrived_at)
WHERE order_id = $1 AND kind = $2 AND courier_id = $3 AND departed_at IS NULL
RETURNING order_id;

-- name: of_courier
-- $1 courier, $2 from, $3 before, $4 most rows. Beside each, what the courier pressed.
SELECT
    v.order_id, v.kind, v.arrived_at, v.departed_at,
    CASE v.kind WHEN 'pickup' THEN o.picked_up_at ELSE o.delivered_at END AS pressed_at
FROM stop_visits AS v
LEFT JOIN orders AS o ON v.order_id = o.id
WHERE v.courier_id = $1 AND v.arrived_at >= $2 AND v.arrived_at < $3
ORDER BY v.arrived_at, v.order_id
LIMIT $4;

-- name: stops
-- $1 couriers, $2 instant: what each had accepted and had not closed by then, with when it was there to be made;
-- those made come first, in that order, then the others. Nobody goes to the recipient with what comes back.
SELECT
    o.courier_id, o.id AS order_id, s.kind, s.lat, s.lon, coalesce(o.accepted_at, o.assigned_at) AS since_at, s.until_at
FROM orders AS o
CROSS JOIN LATERAL (
    VALUES
    ('pickup', o.pickup_lat, o.pickup_lon, coalesce(o.picked_up_at, o.closed_at)),
    ('dropoff', o.dropoff_lat, o.dropoff_lon, o.closed_at)
) AS s (kind, lat, lon, until_at)
WHERE
    o.courier_id = ANY($1::uuid []) AND o.placed_at >= $2::timestamptz - interval '2 days'
    AND o.state NOT IN ('placed', 'assigned') AND (s.until_at IS NULL OR s.until_at >= $2)
    AND NOT (o.state = 'returning' AND s.kind = 'dropoff')
    -- An order of one stop has no other; where its goods are brought to is known once they are collected.
    AND NOT (o.depot IS NULL AND o.kind IN ('dropoff', 'service') AND s.kind = 'pickup')
    AND NOT (
        o.depot IS NULL AND o.kind = 'pickup' AND s.kind = 'dropoff'
        AND o.dropoff_lat = o.pickup_lat AND o.dropoff_lon = o.pickup_lon
    )
ORDER BY o.courier_id, s.until_at NULLS LAST, o.id, s.kind DESC;

-- name: open_of_region
-- $1 region, $2 courier (NULL: all), $3 instant: visits that had begun by then, within a day, and not ended, and where
-- they are: a new watcher goes on with them.
SELECT
    v.order_id, v.kind, v.courier_id, v.arrived_at,
    CASE v.kind WHEN 'pickup' THEN o.pickup_lat ELSE o.dropoff_lat END AS lat,
    CASE v.kind WHEN 'pickup' THEN o.pickup_lon ELSE o.dropoff_lon END AS lon
FROM stop_visits AS v
INNER JOIN orders AS o ON v.order_id = o.id
WHERE
    v.region = $1 AND ($2::uuid IS NULL OR v.courier_id = $2)
    AND v.arrived_at < $3 AND v.arrived_at >= $3::timestamptz - interval '1 day'
    AND (v.departed_at IS NULL OR v.departed_at >= $3);

-- name: put_again
-- $1 region, $2 courier, $3 from, $4 orders, $5 kinds, $6 arrivals (NULL: there was none), $7 departures: what the fixes
-- since then show of these stops; a visit that was over by then stays. Returns what is not as it was.
WITH given AS (
    SELECT g.* FROM unnest($4::uuid [], $5::text [], $6::timestamptz [], $7::timestamptz [])
        AS g (order_id, kind, arrived_at, departed_at)
),

gone AS (
    DELETE FROM stop_visits AS v USING given AS g
    WHERE
        v.order_id = g.order_id AND v.kind = g.kind AND v.courier_id = $2
        AND v.arrived_at >= $3 AND g.arrived_at IS NULL
)

INSERT INTO stop_visits AS v (order_id, kind, courier_id, region, arrived_at, departed_at)
SELECT g.order_id, g.kind, $2, $1, g.arrived_at, g.departed_at FROM given AS g WHERE g.arrived_at IS NOT NULL
ON CONFLICT (order_id, kind, courier_id) DO UPDATE SET
    arrived_at = excluded.arrived_at, departed_at = excluded.departed_at
WHERE
    NOT coalesce(v.departed_at < $3, false)
    AND (v.arrived_at, v.departed_at) IS DISTINCT FROM (excluded.arrived_at, excluded.departed_at)
RETURNING
    v.order_id, v.kind, v.arrived_at, v.departed_at, xmax = 0 AS is_new,
    NOT EXISTS (
        SELECT FROM stop_visits AS b
        WHERE b.order_id = v.order_id AND b.kind = v.kind AND b.courier_id = v.courier_id AND b.departed_at IS NOT NULL
    ) AS had_not_departed;

-- name: erase
DELETE FROM stop_visits WHERE courier_id = $1;
