-- What there is, counted for the metrics (app/wiring/census.py); over the open orders only.

-- name: orders
-- By region and state. Since when the oldest waits: from an hour before it may be collected, so that orders for
-- tomorrow do not count; greatest() also takes away what is no finite instant.
SELECT
    o.region,
    o.state,
    count(*) AS n,
    coalesce(
        extract(EPOCH FROM now() - min(o.wanted_at) FILTER (WHERE o.state = 'placed' AND o.wanted_at <= now())), 0
    )::float8 AS oldest_s
FROM (
    SELECT
        region,
        state,
        greatest(placed_at, ready_at - interval '1 hour', pickup_opens_at - interval '1 hour') AS wanted_at
    FROM orders
    WHERE state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning')
) AS o
GROUP BY o.region, o.state;

-- name: couriers
-- Who may be given orders now, by region.
SELECT
    region,
    count(*) FILTER (WHERE on_duty) AS n
FROM couriers
GROUP BY region;
