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
SELECT * FROM decisions WHERE order_id = $1;

-- name: of_orders
SELECT * FROM decisions WHERE order_id = ANY($1::uuid[]);
