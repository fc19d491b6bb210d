-- name: add
-- $1 order, $2 lines, $3 seconds, $4 batch or NULL, $5 pieces, $6 shelf life in seconds or NULL, $7 when the order itself
-- said that it is ready.
INSERT INTO place_tasks (order_id, lines, duration_s, batch, amount, shelf_s, asked_ready_at)
VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7);

-- name: of_place
-- $1 place: what it has to make, and what waits there for a courier, as it was placed.
SELECT
    o.id AS order_id, o.external_id, o.placed_at, o.region, o.state AS order_state, o.courier_id,
    o.ready_at AS order_ready_at, o.ready_is_estimate, o.pickup_opens_at, o.pickup_due_at, o.pickup_closes_at,
    t.lines, t.duration_s, t.batch, t.amount, t.shelf_s, t.asked_ready_at, t.state, t.not_before, t.until_at,
    t.started_at, t.ready_at, t.problem
FROM orders AS o INNER JOIN place_tasks AS t ON o.id = t.order_id
WHERE o.place_id = $1 AND o.state IN ('placed', 'assigned', 'accepted')
ORDER BY o.placed_at, o.id
LIMIT 500;

-- name: find
-- $1 order, $2 place.
SELECT
    o.id AS order_id, o.external_id, o.placed_at, o.region, o.state AS order_state, o.courier_id,
    o.ready_at AS order_ready_at, o.ready_is_estimate, o.pickup_opens_at, o.pickup_due_at, o.pickup_closes_at,
    t.lines, t.duration_s, t.batch, t.amount, t.shelf_s, t.asked_ready_at, t.state, t.not_before, t.until_at,
    t.started_at, t.ready_at, t.problem
FROM orders AS o INNER JOIN place_tasks AS t ON o.id = t.order_id
WHERE o.id = $1 AND o.place_id = $2;

-- name: ask
-- $1 order, $2 when it is ready, as somebody says, or NULL.
UPDATE place_tasks SET asked_ready_at = $2 WHERE order_id = $1;

-- name: remake
-- $1 order, $2 seconds, $3 batch or NULL, $4 pieces: what it takes to make it now.
UPDATE place_tasks SET duration_s = $2, batch = $3, amount = $4 WHERE order_id = $1;

-- name: put
-- $1 order, $2 state, $3 not ready before, $4 ready then, $5 begun, $6 ready, $7 what is wrong, $8 when.
UPDATE place_tasks SET
    state = $2, not_before = $3, until_at = $4, started_at = $5, ready_at = $6, problem = $7, updated_at = $8
WHERE order_id = $1;
