-- name: begin
-- Where nothing was counted yet: begin with the first order, but not before $1 nor after $2.
UPDATE order_days_horizon AS h
SET kept_until = date_trunc('day', first.at, 'UTC')
FROM (
    SELECT min(f.at) AS at FROM regions AS r
    CROSS JOIN LATERAL (
        SELECT min(o.placed_at) AS at FROM orders AS o WHERE o.region = r.id AND o.placed_at >= $1::timestamptz AND o.placed_at < $2
    ) AS f
) AS first
WHERE h.kept_until = '-infinity' AND first.at IS NOT NULL;

-- name: take_horizon
SELECT kept_until FROM order_days_horizon WHERE isfinite(kept_until) FOR UPDATE;

-- name: clear
-- $1 since, $2 until before.
DELETE FROM order_days WHERE day >= $1 AND day < $2;

-- name: count
-- $1 since, $2 until before: whole days.
WITH placed AS (
    SELECT
        o.region,
        CASE grouping(o.courier_id) WHEN 0 THEN 'courier' ELSE 'place' END AS kind,
        date_trunc('day', o.placed_at, 'UTC') AS day,
        o.courier_id,
        round(o.pickup_lat * 1e4)::int AS lat_e4,
        round(o.pickup_lon * 1e4)::int AS lon_e4,
        max(o.pickup_address) AS address,
        count(*) AS placed
    FROM regions AS r
    INNER JOIN orders AS o ON r.id = o.region
    WHERE o.placed_at >= $1 AND o.placed_at < $2
    GROUP BY GROUPING SETS ((o.region, day, o.courier_id), (o.region, day, lat_e4, lon_e4))
),

closed AS (
    SELECT
        o.region,
        date_trunc('day', o.closed_at, 'UTC') AS day,
        o.courier_id,
        round(o.pickup_lat * 1e4)::int AS lat_e4,
        round(o.pickup_lon * 1e4)::int AS lon_e4,
        o.pickup_address AS address,
        CASE
            WHEN isfinite(o.placed_at)
                THEN round(least(greatest(date_part('epoch', o.closed_at - o.placed_at), 0), 31622400) / 10)::int
        END AS door,
        CASE
            WHEN isfinite(coalesce(o.dropoff_due_at, o.dropoff_closes_at))
                THEN date_part('epoch', o.closed_at - coalesce(o.dropoff_due_at, o.dropoff_closes_at))
        END AS late_s
    FROM regions AS r
    INNER JOIN orders AS o ON r.id = o.region
    WHERE o.closed_at >= $1 AND o.closed_at < $2 AND o.delivered_at IS NOT NULL
),

binned AS (
    SELECT
        region,
        CASE grouping(courier_id) WHEN 0 THEN 'courier' ELSE 'place' END AS kind,
        day, courier_id, lat_e4, lon_e4, door,
        max(address) AS address,
        count(*) AS n,
        count(late_s) AS promised,
        count(*) FILTER (WHERE late_s > 0) AS late,
        coalesce(sum(late_s) FILTER (WHERE late_s > 0), 0) AS late_s
    FROM closed
    GROUP BY GROUPING SETS ((region, day, courier_id, door), (region, day, lat_e4, lon_e4, door))
),

delivered AS (
    SELECT
        region, kind, day, courier_id, lat_e4, lon_e4,
        max(address) AS address,
        sum(n) AS delivered,
        sum(promised) AS promised,
        sum(late) AS late,
        sum(late_s) AS late_s,
        string_agg(int4send(door) || int4send(n::int), ''::bytea) FILTER (WHERE door IS NOT NULL) AS doors
    FROM binned
    GROUP BY region, kind, day, courier_id, lat_e4, lon_e4
),

made AS (
    SELECT
        f.region,
        date_trunc('day', f.offered_at, 'UTC') AS day,
        f.courier_id,
        round(o.pickup_lat * 1e4)::int AS lat_e4,
        round(o.pickup_lon * 1e4)::int AS lon_e4,
        f.state
    FROM regions AS r
    INNER JOIN offers AS f ON r.id = f.region
    LEFT JOIN orders AS o ON f.order_id = o.id
    WHERE f.offered_at >= $1 AND f.offered_at < $2
),

offered AS (
    SELECT
        region,
        CASE grouping(courier_id) WHEN 0 THEN 'courier' ELSE 'place' END AS kind,
        day, courier_id, lat_e4, lon_e4,
        count(*) AS offers,
        count(*) FILTER (WHERE state = 'accepted') AS accepted,
        count(*) FILTER (WHERE state IN ('accepted', 'rejected', 'expired')) AS answered
    FROM made
    GROUP BY GROUPING SETS ((region, day, courier_id), (region, day, lat_e4, lon_e4))
),

found AS (
    SELECT region, kind, day, courier_id, lat_e4, lon_e4, address, placed, 0 AS delivered, 0 AS promised, 0 AS late,
        0.0::double precision AS late_s, 0 AS offers, 0 AS accepted, 0 AS answered, ''::bytea AS doors FROM placed
    UNION ALL
    SELECT region, kind, day, courier_id, lat_e4, lon_e4, address, 0, delivered, promised, late,
        late_s, 0, 0, 0, doors FROM delivered
    UNION ALL
    SELECT region, kind, day, courier_id, lat_e4, lon_e4, NULL, 0, 0, 0, 0,
        0, offers, accepted, answered, NULL FROM offered
)

INSERT INTO order_days (
    region, kind, day, courier_id, lat_e4, lon_e4, address, placed, delivered, promised, late, late_s, offers, accepted,
    answered, doors
)
SELECT
    region, kind, day, courier_id, lat_e4, lon_e4, CASE kind WHEN 'place' THEN max(address) END, sum(placed), sum(delivered), sum(promised), sum(late),
    sum(late_s), sum(offers), sum(accepted), sum(answered), coalesce(string_agg(doors, ''::bytea), '')
FROM found
GROUP BY region, kind, day, courier_id, lat_e4, lon_e4;

-- name: changed
-- Earlier days, from $3 on, of orders that were closed from $1 until before $2: meanwhile they changed hands.
SELECT DISTINCT date_trunc('day', o.placed_at, 'UTC') AS day
FROM regions AS r
INNER JOIN orders AS o ON r.id = o.region
WHERE o.closed_at >= $1 AND o.closed_at < $2 AND o.placed_at < $1 AND o.placed_at >= $3;

-- name: move_horizon
UPDATE order_days_horizon SET kept_until = $1;

-- name: kept_until
-- A time that can be reckoned with, also where nothing was counted yet.
SELECT greatest(kept_until, '2000-01-01T00:00:00Z') AS kept_until FROM order_days_horizon;

-- name: of_region
-- Region $1 from $2 until before $3 (whole days) by `courier` or `place` ($4): in all (`is_total`) and the largest, $5 rows.
SELECT
    courier_id, lat_e4, lon_e4, grouping(courier_id, lat_e4, lon_e4) > 0 AS is_total,
    max(address) AS address,
    sum(placed)::bigint AS placed,
    sum(delivered)::bigint AS delivered,
    sum(promised)::bigint AS promised,
    sum(late)::bigint AS late,
    sum(late_s) AS late_s,
    sum(offers)::bigint AS offers,
    sum(accepted)::bigint AS accepted,
    sum(answered)::bigint AS answered,
    string_agg(doors, ''::bytea) AS packed_doors
FROM order_days
WHERE region = $1 AND day >= $2 AND day < $3 AND kind = $4
GROUP BY GROUPING SETS ((courier_id, lat_e4, lon_e4), ())
ORDER BY is_total DESC, sum(placed) + sum(delivered) DESC
LIMIT $5;
