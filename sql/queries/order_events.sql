-- name: insert
-- $1 order, $2 version it now has, $3 action, $4 state before, $5 state after, $6 courier, $7 who, $8 role, $9 why,
-- $10 facts, $11 when.
INSERT INTO order_events (order_id, version, action, from_state, to_state, courier_id, actor, role, reason, facts, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11);

-- name: insert_assigned
-- One event for each order that the planner assigned: $1 orders, $2 versions, $3 couriers, $4 who, $5 role, $6 when, $7
-- the state it has then.
INSERT INTO order_events (order_id, version, action, from_state, to_state, courier_id, actor, role, at)
SELECT given.order_id, given.version, 'assign', 'placed', $7, given.courier_id, $4, $5, $6
FROM unnest($1::uuid[], $2::int[], $3::uuid[]) AS given (order_id, version, courier_id);

-- name: insert_put_back
-- One event for each order that waits for a courier again: $1 orders, $2 versions, $3 states before, $4 couriers who had
-- them, $5 reasons; $6 action, $7 who, $8 role, $9 when.
INSERT INTO order_events (order_id, version, action, from_state, to_state, courier_id, actor, role, reason, at)
SELECT given.order_id, given.version, $6, given.from_state, 'placed', given.courier_id, $7, $8, given.reason, $9
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::uuid[], $5::text[])
    AS given (order_id, version, from_state, courier_id, reason);

-- name: turned_back
-- $1 orders that come back: their couriers, and when somebody gave up at the door for the last time.
SELECT courier_id, max(at) AS at FROM order_events
WHERE order_id = ANY($1::uuid []) AND to_state = 'returning' AND from_state <> 'returning'
GROUP BY courier_id;

-- name: list
SELECT
    id, order_id, at, version, action, from_state, to_state, courier_id, actor, role, reason, facts
FROM order_events WHERE order_id = $1 ORDER BY id;
