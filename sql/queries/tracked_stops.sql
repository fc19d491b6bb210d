-- name: to_track
-- $1 region, $2 from, $3 until before, $4 how many: stops done in that time and not tracked yet, oldest first, each with
-- the moment after which the way to it began: the courier's stop before it, or when the order was given to the courier.
WITH done AS (
    SELECT o.id AS order_id, 'pickup' AS kind, o.courier_id, o.picked_up_at AS done_at, o.assigned_at AS given_at,
        o.pickup_lat AS lat, o.pickup_lon AS lon, greatest(o.pickup_opens_at, o.ready_at) AS opens_at
    FROM orders AS o
    WHERE o.region = $1 AND o.picked_up_at >= $2::timestamptz - interval '6 hours' AND o.courier_id IS NOT NULL
        AND (o.kind <> 'dropoff' OR o.depot IS NOT NULL)  -- loaded before the way began
    UNION ALL
    SELECT o.id, 'dropoff', o.courier_id, o.delivered_at, coalesce(o.picked_up_at, o.assigned_at),
        o.dropoff_lat, o.dropoff_lon, o.dropoff_opens_at
    FROM orders AS o
    WHERE o.region = $1 AND o.delivered_at >= $2::timestamptz - interval '6 hours' AND o.courier_id IS NOT NULL
        AND NOT (
            o.kind = 'pickup' AND o.depot IS NULL AND o.dropoff_lat = o.pickup_lat AND o.dropoff_lon = o.pickup_lon
        )  -- nobody said where it was brought
),
ordered AS (
    SELECT d.*,
        greatest(
            d.given_at,
            max(d.done_at) OVER (
                PARTITION BY d.courier_id ORDER BY d.done_at
                RANGE BETWEEN UNBOUNDED PRECEDING AND '1 microsecond' PRECEDING
            )
        ) AS since
    FROM done AS d
)
SELECT d.order_id, d.kind, d.courier_id, c.mode, d.lat, d.lon, d.opens_at, d.done_at, d.since
FROM ordered AS d
INNER JOIN couriers AS c ON c.id = d.courier_id
WHERE
    d.done_at >= $2 AND d.done_at < $3
    AND NOT EXISTS (SELECT FROM tracked_stops AS t WHERE t.order_id = d.order_id AND t.kind = d.kind)
    AND NOT EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = d.courier_id)
ORDER BY d.done_at
LIMIT $4;

-- name: insert_many
-- Columns as arrays, in the order of the table, $18 now; a stop that somebody else has tracked meanwhile is skipped.
INSERT INTO tracked_stops (
    order_id, kind, courier_id, region, mode, destination_lat, destination_lon,
    origin_lat, origin_lon, departed_at, arrived_at, done_at, service_s, engine, engine_s, error_default, error_engine,
    tracked_at
)
SELECT given.*, $18
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::float8[], $7::float8[],
    $8::float8[], $9::float8[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],
    $13::float4[], $14::text[], $15::float4[], $16::float4[], $17::float4[]
) AS given
ON CONFLICT (order_id, kind) DO NOTHING;

-- name: newest
-- $1 region, $2 not older than, $3 how many a mode; each with the service time that its order declares, and of a pickup
-- when the goods were to be ready, where that was after the window had opened.
SELECT
    t.order_id, t.kind, t.courier_id, t.region, t.mode, t.destination_lat, t.destination_lon, t.origin_lat,
    t.origin_lon, t.departed_at, t.arrived_at, t.done_at, t.service_s, t.engine, t.engine_s, t.error_default,
    t.error_engine, t.tracked_at,
    CASE t.kind WHEN 'pickup' THEN o.pickup_service_s ELSE o.dropoff_service_s END AS declared_s,
    CASE WHEN t.kind = 'pickup' AND o.ready_at >= coalesce(o.pickup_opens_at, o.ready_at) THEN o.ready_at END AS ready_at
FROM (
    SELECT
        s.order_id, s.kind, s.courier_id, s.region, s.mode, s.destination_lat, s.destination_lon, s.origin_lat,
        s.origin_lon, s.departed_at, s.arrived_at, s.done_at, s.service_s, s.engine, s.engine_s, s.error_default,
        s.error_engine, s.tracked_at
    , row_number() OVER (PARTITION BY s.mode ORDER BY s.done_at DESC) AS nth
    FROM tracked_stops AS s
    WHERE s.region = $1 AND s.done_at >= $2
) AS t
LEFT JOIN orders AS o ON t.order_id = o.id
WHERE t.nth <= $3
ORDER BY t.done_at;

-- name: count_since
-- $1 region, $2 tracked later than.
SELECT count(*) FROM tracked_stops WHERE region = $1 AND tracked_at > $2;

-- name: forget
-- $1 region, $2 older than this.
DELETE FROM tracked_stops WHERE region = $1 AND done_at < $2;
