-- name: courier
-- $1 courier. Whether at work, the break that is going on, and where the clock is.
SELECT c.on_duty, r.timezone, b.began_at + make_interval(secs => b.duration_s) AS break_until
FROM couriers AS c
LEFT JOIN regions AS r ON c.region = r.id
LEFT JOIN breaks AS b ON b.courier_id = c.id AND b.ended_at IS NULL
WHERE c.id = $1 AND c.deleted_at IS NULL;

-- name: orders
-- $1 courier, $2 midnight, $3 most rows: what the courier has, and what was closed since. The newest first.
SELECT o.id, o.external_id, o.state, o.dropoff_address, o.pickup_address, o.kind, o.closed_at, o.close_reason
FROM orders AS o
WHERE
    o.courier_id = $1 AND o.placed_at >= $2::timestamptz - interval '14 days'
    AND (o.closed_at >= $2 OR o.state IN ('accepted', 'picked_up', 'returning'))
ORDER BY o.closed_at DESC NULLS FIRST, o.id
LIMIT $3;
