-- Figures of a region ($1) from $2 until before $3, by `hour`, `day`, `courier` or `place` ($4) and in all (`is_total`);
-- hours and days begin at $5 (`bucket` counts them from one), places are pickups within some ten metres. Largest first, $6
-- rows; the last argument is a partner whose orders and couriers count, or NULL. `date_trunc` in a time zone, or `extract`, for each of a million orders takes longer than all the rest.

-- name: prepare
-- In force until the transaction ends. The columns that `by` does not need are left out of a plan made for it.
SELECT
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('work_mem', '64MB', true),
    set_config('statement_timeout', '20s', true);

-- name: knows_zone
-- Fails where the server does not know the zone $1.
SELECT now() AT TIME ZONE $1;

-- name: buckets
-- Every hour or day ($3) of the zone $4 that has a part between $1 and $2; clocks are put forward by half an hour at least.
SELECT DISTINCT date_trunc($3::text, s.at, $4::text) AS at
FROM (
    SELECT generate_series($1::timestamptz, $2::timestamptz - INTERVAL '1 us', INTERVAL '30 minutes') AS at
    UNION ALL
    SELECT $2::timestamptz - INTERVAL '1 us'
) AS s
ORDER BY at;

-- name: placed
WITH found AS (
    SELECT
        CASE WHEN $4::text IN ('hour', 'day') THEN width_bucket(placed_at, $5::timestamptz[]) END AS bucket,
        CASE WHEN $4 = 'courier' THEN courier_id END AS courier_id,
        CASE WHEN $4 = 'place' THEN round(pickup_lat * 1e4)::int END AS lat_e4,
        CASE WHEN $4 = 'place' THEN round(pickup_lon * 1e4)::int END AS lon_e4,
        CASE WHEN $4 = 'place' THEN pickup_address END AS address
    FROM orders
    WHERE region = $1 AND placed_at >= $2 AND placed_at < $3 AND ($7::text IS NULL OR partner = $7)
)

SELECT
    bucket, courier_id, lat_e4, lon_e4, grouping(bucket, courier_id, lat_e4, lon_e4) > 0 AS is_total, max(address) AS address,
    count(*) AS placed
FROM found
GROUP BY GROUPING SETS ((bucket, courier_id, lat_e4, lon_e4), ())
ORDER BY is_total DESC, placed DESC
LIMIT $6;

-- name: delivered
-- Orders whose end lies in the span; one that was delivered before it was placed, as an odd clock has it, took no time.
-- $7 seconds is what times from placed to delivered are rounded to (`doors`, and how many of each): a million are counted
-- sooner than sorted.
WITH found AS (
    SELECT
        CASE WHEN $4::text IN ('hour', 'day') THEN width_bucket(closed_at, $5::timestamptz[]) END AS bucket,
        CASE WHEN $4 = 'courier' THEN courier_id END AS courier_id,
        CASE WHEN $4 = 'place' THEN round(pickup_lat * 1e4)::int END AS lat_e4,
        CASE WHEN $4 = 'place' THEN round(pickup_lon * 1e4)::int END AS lon_e4,
        CASE WHEN $4 = 'place' THEN pickup_address END AS address,
        CASE
            -- No more than a year, for more tenths of a second than an integer counts would fail the region's report.
            WHEN isfinite(placed_at)
                THEN least(greatest(date_part('epoch', closed_at - placed_at), 0), 31622400)
        END AS door_s,
        CASE
            WHEN isfinite(coalesce(dropoff_due_at, dropoff_closes_at))
                THEN date_part('epoch', closed_at - coalesce(dropoff_due_at, dropoff_closes_at))
        END AS late_s
    FROM orders
    WHERE region = $1 AND closed_at >= $2 AND closed_at < $3 AND delivered_at IS NOT NULL AND ($8::text IS NULL OR partner = $8)
),

binned AS (
    SELECT
        bucket, courier_id, lat_e4, lon_e4,
        round(least(door_s / $7::double precision, 1e9))::int AS door,
        max(address) AS address,
        count(*) AS n,
        count(late_s) AS promised,
        count(*) FILTER (WHERE late_s > 0) AS late,
        sum(late_s) FILTER (WHERE late_s > 0) AS late_s
    FROM found
    GROUP BY bucket, courier_id, lat_e4, lon_e4, door
)

SELECT
    bucket, courier_id, lat_e4, lon_e4, grouping(bucket, courier_id, lat_e4, lon_e4) > 0 AS is_total,
    max(address) AS address,
    sum(n)::bigint AS delivered,
    sum(promised)::bigint AS promised,
    sum(late)::bigint AS late,
    sum(late_s) AS late_s,
    array_agg(door) FILTER (WHERE door IS NOT NULL) AS doors,
    array_agg(n) FILTER (WHERE door IS NOT NULL) AS n_doors
FROM binned
GROUP BY GROUPING SETS ((bucket, courier_id, lat_e4, lon_e4), ())
ORDER BY is_total DESC, delivered DESC
LIMIT $6;

-- name: offers
WITH found AS (
    SELECT
        CASE WHEN $4::text IN ('hour', 'day') THEN width_bucket(f.offered_at, $5::timestamptz[]) END AS bucket,
        CASE WHEN $4 = 'courier' THEN f.courier_id END AS courier_id,
        CASE WHEN $4 = 'place' THEN round(o.pickup_lat * 1e4)::int END AS lat_e4,
        CASE WHEN $4 = 'place' THEN round(o.pickup_lon * 1e4)::int END AS lon_e4,
        f.state
    FROM offers AS f
    LEFT JOIN orders AS o ON f.order_id = o.id
    WHERE f.region = $1 AND f.offered_at >= $2 AND f.offered_at < $3 AND ($7::text IS NULL OR o.partner = $7)
)

SELECT
    bucket, courier_id, lat_e4, lon_e4, grouping(bucket, courier_id, lat_e4, lon_e4) > 0 AS is_total,
    count(*) AS offers,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    count(*) FILTER (WHERE state IN ('accepted', 'rejected', 'expired')) AS answered
FROM found
GROUP BY GROUPING SETS ((bucket, courier_id, lat_e4, lon_e4), ())
ORDER BY is_total DESC, offers DESC
LIMIT $6;

-- name: worked
-- Whole hours (UTC), each with the row in which it, or what of it lies in the span, begins. Nothing of places.
WITH horizon AS (SELECT kept_until FROM courier_hours_horizon),

hours AS (
    SELECT h.courier_id, h.hour, h.tracked_s, h.busy_s, h.distance_m
    FROM courier_hours AS h
    WHERE
        h.region = $1 AND h.hour >= date_trunc('hour', $2::timestamptz, 'UTC') AND h.hour < $3
        AND h.hour < (SELECT kept_until FROM horizon)
    UNION ALL
    SELECT m.courier_id, m.hour, m.tracked_s, m.busy_s, m.distance_m
    FROM courier_hours_made(
        greatest((SELECT kept_until FROM horizon), date_trunc('hour', $2::timestamptz, 'UTC')),
        date_trunc('hour', $3::timestamptz - INTERVAL '1 us', 'UTC') + INTERVAL '1 hour'
    ) AS m
    WHERE m.region = $1
),

found AS (
    SELECT
        CASE WHEN $4::text IN ('hour', 'day') THEN width_bucket(greatest(hour, $2), $5::timestamptz[]) END AS bucket,
        CASE WHEN $4 = 'courier' THEN courier_id END AS courier_id,
        tracked_s, busy_s, distance_m
    FROM hours
    WHERE $7::text IS NULL OR courier_id IN (SELECT c.id FROM couriers AS c WHERE c.partner = $7)
)

SELECT
    bucket, courier_id, grouping(bucket, courier_id) > 0 AS is_total,
    sum(distance_m) AS distance_m,
    sum(busy_s) AS busy_s,
    sum(greatest(tracked_s, busy_s)) AS worked_s
FROM found
GROUP BY GROUPING SETS ((bucket, courier_id), ())
ORDER BY is_total DESC, worked_s DESC
LIMIT $6;

-- name: names
SELECT id, name FROM couriers WHERE id = ANY($1::uuid[]) AND ($2::text IS NULL OR partner = $2);
