-- name: placed
-- Where and when the orders of a region were placed after an instant, the newest first, at most $3. Infinity is no number.
SELECT pickup_lat AS lat, pickup_lon AS lon, extract(epoch FROM placed_at)::bigint AS placed_at
FROM orders
WHERE region = $1 AND placed_at > $2 AND isfinite(placed_at)
ORDER BY placed_at DESC
LIMIT $3;

-- name: around
-- How many orders of a region were placed around each of some instants, half an hour before to half an hour after, by
-- where they were collected; of each instant the first $3.
SELECT u.at, o.pickup_lat AS lat, o.pickup_lon AS lon, count(*) AS n
FROM unnest($2::timestamptz []) AS u (at)
CROSS JOIN LATERAL (
    SELECT p.pickup_lat, p.pickup_lon FROM orders AS p
    WHERE p.region = $1 AND p.placed_at >= u.at - interval '30 minutes' AND p.placed_at < u.at + interval '30 minutes'
    ORDER BY p.placed_at
    LIMIT $3
) AS o
GROUP BY u.at, o.pickup_lat, o.pickup_lon;
