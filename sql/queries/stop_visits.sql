-- name: arrive
-- $1 order, $2 kind, $3 courier, $4 region, $5 when. No row: it was known.
INSERT INTO stop_visits (order_id, kind, courier_id, region, arrived_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING order_id;

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

-- name: open_of_region
-- Visits that have not ended, so that a new watcher goes on with them.
SELECT order_id, kind, courier_id FROM stop_visits WHERE region = $1 AND departed_at IS NULL;

-- name: erase
DELETE FROM stop_visits WHERE courier_id = $1;
