-- name: put_many
-- What the planner thinks of each order: $1 orders, $2 couriers, $3 costs, $4 reasons (each may be NULL), $5 when.
-- Orders that have gone meanwhile are skipped; what has not changed is not written again.
INSERT INTO decisions AS d (order_id, courier_id, cost, reasons, decided_at)
SELECT given.order_id, given.courier_id, given.cost::jsonb, given.reasons::jsonb, $5
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS given (order_id, courier_id, cost, reasons)
WHERE EXISTS (SELECT FROM orders WHERE orders.id = given.order_id)
ON CONFLICT (order_id) DO UPDATE SET
    courier_id = excluded.courier_id, cost = excluded.cost, reasons = excluded.reasons, decided_at = $5
WHERE (d.courier_id, d.cost, d.reasons) IS DISTINCT FROM (excluded.courier_id, excluded.cost, excluded.reasons);

-- name: get
SELECT order_id, decided_at, courier_id, cost, reasons FROM decisions WHERE order_id = $1;

-- name: of_orders
SELECT order_id, decided_at, courier_id, cost, reasons FROM decisions WHERE order_id = ANY($1::uuid[]);

-- name: put_not_yet
-- Orders of region $1 whose pickup opens after $2 are left for a later plan; $3 when. Says it once of each. Opening: as in
-- orders.marks_within_horizon, with $4 for its $3.
INSERT INTO decisions AS d (order_id, reasons, decided_at)
SELECT o.id, '{"not_yet": {"n": 0, "example": null}}', $3
FROM orders AS o
LEFT JOIN decisions AS k ON o.id = k.order_id
WHERE
    o.region = $1 AND o.state = 'placed'
    AND greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at) < '2200-01-01T00:00:00Z'
    AND (o.dropoff_opens_at IS NULL OR o.dropoff_opens_at < '2200-01-01T00:00:00Z')
    AND (
        greatest(coalesce(o.ready_at, o.placed_at), o.pickup_opens_at) > $2
        OR collect_from(o.dropoff_opens_at, $4, o.pickup_lat, o.pickup_lon, o.dropoff_lat, o.dropoff_lon) > $2
    )
    AND (k.reasons -> 'not_yet') IS NULL
ON CONFLICT (order_id) DO UPDATE SET courier_id = NULL, cost = NULL, reasons = excluded.reasons, decided_at = $3;
