-- name: insert
-- All columns that a customer may give, in the order of the table; see dispatch/orders/rows.py.
INSERT INTO orders (
    region, external_id, customer_id,
    pickup_lat, pickup_lon, pickup_address, pickup_contact, pickup_instructions,
    pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s,
    dropoff_lat, dropoff_lon, dropoff_address, dropoff_contact, dropoff_instructions,
    dropoff_opens_at, dropoff_due_at, dropoff_closes_at, dropoff_service_s,
    ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, max_on_board_s, kind, depot, group_id,
    partner, placed_at, updated_at, depot_named, place_id
)
VALUES (
    $1, $2, $3,
    $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12,
    $13, $14, $15, $16::jsonb, $17, $18, $19, $20, $21,
    $22, $23, $24, $25::jsonb, $26, $27, $28, $29, $30, $31, $32, $33, $34, $34, $35, $36
)
RETURNING
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at;

-- name: get
SELECT
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at
FROM orders WHERE id = $1;

-- name: get_many
SELECT
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at
FROM orders WHERE id = ANY($1::uuid[]);

-- name: id_by_external_id
SELECT id FROM orders WHERE external_id = $1;

-- name: lock
-- Holds the order until the transaction ends. Orders are locked before routes, several of them in the order of their ids.
SELECT
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at
FROM orders WHERE id = $1 FOR UPDATE;

-- name: lock_many
SELECT
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at
FROM orders WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE;

-- name: lock_uncollected
-- What couriers ($1) have been given but not collected, and what they are asked for that others have till they answer.
SELECT id, courier_id, state, coalesce(assigned_at, placed_at) AS assigned_at FROM orders
WHERE
    state IN ('assigned', 'accepted')
    AND id IN (
        SELECT o.id FROM orders AS o WHERE o.courier_id = ANY($1::uuid[]) AND o.state IN ('assigned', 'accepted')
        UNION ALL
        SELECT f.order_id FROM offers AS f WHERE f.courier_id = ANY($1::uuid[]) AND f.state = 'open'
    )
ORDER BY id
FOR UPDATE;

-- name: on_board
-- What couriers ($1) have collected and not handed over.
SELECT id, courier_id FROM orders
WHERE courier_id = ANY($1::uuid[]) AND state IN ('picked_up', 'returning')
ORDER BY id
FOR UPDATE;

-- name: lock_overdue
-- Orders of region $1 whose open offer has run out by $2.
SELECT id, courier_id FROM orders
WHERE id IN (SELECT order_id FROM offers WHERE region = $1 AND state = 'open' AND expires_at <= $2)
ORDER BY id
FOR UPDATE;

-- name: put_back_many
-- Held orders ($1) wait for a courier again, if they are still in one of the states $2; $3 when. Returns the state and the
-- courier each had.
UPDATE orders AS o SET
    state = 'placed', version = o.version + 1, updated_at = $3,
    courier_id = NULL, pinned = false, assigned_at = NULL, accepted_at = NULL
FROM orders AS b
WHERE o.id = ANY($1::uuid[]) AND b.id = o.id AND o.state = ANY($2::text[])
RETURNING o.id, o.region, o.version, b.state AS from_state, b.courier_id;

-- name: lock_touched
-- Orders ($1), and all that couriers ($2) have or are asked for and have not collected.
SELECT id, courier_id FROM orders
WHERE id IN (
    SELECT given.id FROM unnest($1::uuid[]) AS given (id)
    UNION ALL
    SELECT o.id FROM orders AS o WHERE o.courier_id = ANY($2::uuid[]) AND o.state IN ('assigned', 'accepted')
    UNION ALL
    SELECT f.order_id FROM offers AS f WHERE f.courier_id = ANY($2::uuid[]) AND f.state = 'open'
)
ORDER BY id
FOR UPDATE;

-- name: move
-- $1 order, $2 version it must have, $3 state it must have, $4 new state, $5 when, $6 courier (NULL: as it was),
-- $7 pinned (NULL: as it was), $8 reason, $9 proof, $10 when it was done, if not
-- then, $11, $12, $13 where what returns goes (NULL: to the pickup). No row: somebody else was faster.
-- An order that goes back to `placed` forgets its courier, and one that is tried again what became of it before.
UPDATE orders SET
    state = $4,
    version = version + 1,
    updated_at = $5,
    courier_id = CASE WHEN $4 = 'placed' THEN NULL ELSE coalesce($6::uuid, courier_id) END,
    pinned = CASE WHEN $4 = 'placed' THEN false ELSE coalesce($7::boolean, pinned) END,
    assigned_at = CASE $4 WHEN 'placed' THEN NULL WHEN 'assigned' THEN $5::timestamptz ELSE assigned_at END,
    accepted_at = CASE
        WHEN $4 IN ('placed', 'assigned') THEN NULL WHEN $4 = 'accepted' THEN coalesce($10::timestamptz, $5::timestamptz) ELSE accepted_at
    END,
    picked_up_at = CASE $4
        WHEN 'placed' THEN NULL WHEN 'picked_up' THEN coalesce(picked_up_at, $10::timestamptz, $5::timestamptz) ELSE picked_up_at
    END,
    delivered_at = CASE $4 WHEN 'delivered' THEN coalesce($10::timestamptz, $5::timestamptz) ELSE delivered_at END,
    closed_at = CASE
        WHEN $4 IN ('delivered', 'cancelled', 'failed', 'returned') THEN coalesce(closed_at, $10::timestamptz, $5::timestamptz)
    END,
    close_reason = CASE
        WHEN $4 IN ('placed', 'picked_up') THEN NULL
        WHEN $4 IN ('cancelled', 'failed', 'returning') THEN coalesce($8, close_reason)
        ELSE close_reason
    END,
    proof = CASE WHEN $3 IN ('failed', 'returning', 'returned') AND $4 IN ('placed', 'picked_up') THEN NULL
        ELSE coalesce($9::jsonb, proof) END,
    return_lat = CASE $4 WHEN 'returning' THEN $11::double precision WHEN 'returned' THEN return_lat END,
    return_lon = CASE $4 WHEN 'returning' THEN $12::double precision WHEN 'returned' THEN return_lon END,
    return_address = CASE $4 WHEN 'returning' THEN $13 WHEN 'returned' THEN return_address END,
    attempt = attempt
    + CASE WHEN $3 IN ('failed', 'returning', 'returned') AND $4 IN ('placed', 'picked_up') THEN 1 ELSE 0 END
WHERE id = $1 AND version = $2 AND state = $3
RETURNING
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at;

-- name: pin
-- $1 order, $2 version it must have, $3 pinned, $4 when.
UPDATE orders SET pinned = $3, version = version + 1, updated_at = $4
WHERE id = $1 AND version = $2 AND state IN ('assigned', 'accepted', 'picked_up')
RETURNING
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at;

-- name: change
-- $1 order, $2 version it must have, $3 when; then what may be changed. No row: somebody else was faster, or it is closed.
UPDATE orders SET
    version = version + 1, updated_at = $3,
    pickup_lat = $4, pickup_lon = $5, pickup_address = $6, pickup_contact = $7::jsonb, pickup_instructions = $8,
    pickup_opens_at = $9, pickup_due_at = $10, pickup_closes_at = $11, pickup_service_s = $12,
    dropoff_lat = $13, dropoff_lon = $14, dropoff_address = $15, dropoff_contact = $16::jsonb,
    dropoff_instructions = $17, dropoff_opens_at = $18, dropoff_due_at = $19, dropoff_closes_at = $20,
    dropoff_service_s = $21,
    ready_at = $22, ready_is_estimate = $23, ready_error_s = $24, size = $25::jsonb, modes = $26, skills = $27,
    priority = $28, max_on_board_s = $29, group_id = $30, depot = $31, depot_named = $32
WHERE id = $1 AND version = $2 AND state IN ('placed', 'assigned', 'accepted', 'picked_up')
RETURNING
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at;

-- name: list
-- Newest first. Every filter may be NULL: $1 states, $2 region, $3 courier, $4 customer, $5 text: a whole reference or
-- customer or the beginning of an id in any order, and among the newest 50,000 (so long does it take that nothing is
-- found) a part of them, of an address, of a contact, of a comment, or the digits of a number in a contact; $6 placed from, $7 placed before, $8 only those the planner found no courier for; $9, $10 the cursor
-- (placed_at and id of the last one seen), $11 how many, $12 partner.
SELECT
    o.id, o.region, o.external_id, o.customer_id, o.state, o.version, o.pickup_lat, o.pickup_lon, o.pickup_address,
    o.pickup_contact, o.pickup_instructions, o.pickup_opens_at, o.pickup_due_at, o.pickup_closes_at, o.pickup_service_s,
    o.dropoff_lat, o.dropoff_lon, o.dropoff_address, o.dropoff_contact, o.dropoff_instructions, o.dropoff_opens_at,
    o.dropoff_due_at, o.dropoff_closes_at, o.dropoff_service_s, o.placed_at, o.ready_at, o.ready_is_estimate,
    o.ready_error_s, o.size, o.modes, o.skills, o.priority, o.courier_id, o.pinned, o.assigned_at, o.accepted_at,
    o.picked_up_at, o.delivered_at, o.closed_at, o.close_reason, o.proof, o.attempt,
    o.kind, o.depot, o.depot_named, o.place_id, o.group_id, o.max_on_board_s, o.return_lat, o.return_lon, o.return_address, o.partner,
    o.updated_at
FROM orders AS o
LEFT JOIN decisions AS d ON o.id = d.order_id
WHERE
    ($1::text[] IS NULL OR o.state = ANY($1))
    AND ($2::text IS NULL OR o.region = $2)
    AND ($3::uuid IS NULL OR o.courier_id = $3)
    AND ($4::text IS NULL OR o.customer_id = $4)
    AND (
        $5::text IS NULL OR o.external_id = $5 OR o.customer_id = $5 OR o.id::text LIKE lower($5) || '%'
        OR (
            o.placed_at >= coalesce(
                (SELECT n.placed_at FROM orders AS n ORDER BY n.placed_at DESC OFFSET 49999 LIMIT 1), '-infinity'
            )
            AND (
                strpos(lower(concat_ws(
                    ' ', o.external_id, o.customer_id, o.dropoff_address, o.pickup_address,
                    jsonb_path_query_array(o.dropoff_contact, '$.*'), jsonb_path_query_array(o.pickup_contact, '$.*')
                )), lower($5)) > 0
                OR (
                    length(regexp_replace($5, '[^0-9]+', '', 'g')) >= 4 AND $5 !~ '[[:alpha:]]'
                    AND strpos(regexp_replace(concat_ws(
                        ' ', jsonb_path_query_array(o.dropoff_contact, '$.*'), jsonb_path_query_array(o.pickup_contact, '$.*')
                    ), '[^0-9]+', '', 'g'), regexp_replace($5, '[^0-9]+', '', 'g')) > 0
                )
                OR EXISTS (
                    SELECT FROM order_comments AS c WHERE c.order_id = o.id AND strpos(lower(c.body), lower($5)) > 0
                )
            )
        )
    )
    AND ($6::timestamptz IS NULL OR o.placed_at >= $6)
    AND ($7::timestamptz IS NULL OR o.placed_at < $7)
    AND (NOT $8::boolean OR (o.state = 'placed' AND d.reasons IS NOT NULL))
    AND ($9::timestamptz IS NULL OR (o.placed_at, o.id) < ($9::timestamptz, $10::uuid))
    AND ($12::text IS NULL OR o.partner = $12)
ORDER BY o.placed_at DESC, o.id DESC
LIMIT $11;

-- name: open_in_region
SELECT
    id, region, external_id, customer_id, state, version, pickup_lat, pickup_lon, pickup_address, pickup_contact,
    pickup_instructions, pickup_opens_at, pickup_due_at, pickup_closes_at, pickup_service_s, dropoff_lat, dropoff_lon,
    dropoff_address, dropoff_contact, dropoff_instructions, dropoff_opens_at, dropoff_due_at, dropoff_closes_at,
    dropoff_service_s, placed_at, ready_at, ready_is_estimate, ready_error_s, size, modes, skills, priority, courier_id,
    pinned, assigned_at, accepted_at, picked_up_at, delivered_at, closed_at, close_reason, proof, attempt,
    kind, depot, depot_named, place_id, group_id, max_on_board_s, return_lat, return_lon, return_address, partner, updated_at
FROM orders
WHERE region = $1 AND state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning')
ORDER BY placed_at, id;

-- name: marks_within_horizon
-- Open orders of region $1 but for those that nobody has and whose pickup opens after $2: they cost a plan nothing. Those
-- that are to be handed over later are collected $3 seconds, and the way on foot, before that. What opens when nobody can
-- mean it is among them, to be told. Its mark changes whenever anything of an order does: with the transaction that wrote
-- the row.
SELECT id, xmin::text AS mark, placed_at FROM orders WHERE region = $1 AND state IN ('assigned', 'accepted', 'picked_up', 'returning')
UNION ALL
SELECT id, xmin::text AS mark, placed_at
FROM orders
WHERE
    region = $1 AND state = 'placed'
    AND greatest(coalesce(ready_at, placed_at), pickup_opens_at) <= $2
    AND (
        dropoff_opens_at IS NULL OR dropoff_opens_at >= '2200-01-01T00:00:00Z'
        OR collect_from(dropoff_opens_at, $3, pickup_lat, pickup_lon, dropoff_lat, dropoff_lon) <= $2
    )
UNION ALL
SELECT id, xmin::text AS mark, placed_at
FROM orders
WHERE
    region = $1 AND state = 'placed'
    AND greatest(coalesce(ready_at, placed_at), pickup_opens_at) >= '2200-01-01T00:00:00Z'
ORDER BY placed_at, id;

-- name: marks_open
-- All open orders of region $1, with the same marks.
SELECT id, xmin::text AS mark FROM orders
WHERE region = $1 AND state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning')
ORDER BY placed_at, id;

-- name: assign_many
-- The planner's assignments: $1 orders, $2 couriers, $3 versions the orders must have; $4 when, $5 `assigned`, or
-- `accepted` where nobody is asked. Skips what changed.
UPDATE orders AS o SET
    state = $5, version = o.version + 1, courier_id = given.courier_id, assigned_at = $4::timestamptz,
    updated_at = $4::timestamptz,
    accepted_at = CASE WHEN $5 = 'accepted' THEN $4::timestamptz END
FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS given (order_id, courier_id, version)
WHERE o.id = given.order_id AND o.version = given.version AND o.state = 'placed'
RETURNING o.id, o.version, o.courier_id;
