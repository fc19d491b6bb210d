-- name: insert
-- $1 order, $2 courier, $3 region, $4 when, $5 until, $6 facts.
INSERT INTO offers (order_id, courier_id, region, offered_at, expires_at, facts)
VALUES ($1, $2, $3, $4, $5, $6::jsonb)
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts;

-- name: insert_many
-- $1 orders, $2 couriers, $3 facts; $4 region, $5 when, $6 until.
INSERT INTO offers (order_id, courier_id, region, offered_at, expires_at, facts)
SELECT given.order_id, given.courier_id, $4, $5, $6, given.facts::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS given (order_id, courier_id, facts)
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts;

-- name: get
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts
FROM offers WHERE id = $1;

-- name: lock
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts
FROM offers WHERE id = $1 FOR UPDATE;

-- name: close_of_order
-- The open offer of an order, if any: $1 order, $2 how it ended, $3 when, $4 why.
UPDATE offers SET state = $2, answered_at = $3, reason = $4 WHERE order_id = $1 AND state = 'open'
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts;

-- name: close_many
-- The open offers of orders ($1): $2 how they ended, $3 when, $4 why (one an order). Only those that had run out by $5, where
-- it is given.
UPDATE offers AS f SET state = $2, answered_at = $3, reason = given.reason
FROM unnest($1::uuid[], $4::text[]) AS given (order_id, reason)
WHERE f.order_id = given.order_id AND f.state = 'open' AND ($5::timestamptz IS NULL OR f.expires_at <= $5)
RETURNING
    f.id, f.order_id, f.courier_id, f.region, f.state, f.offered_at, f.expires_at, f.answered_at, f.reason, f.facts;

-- name: open_of_courier
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts
FROM offers WHERE courier_id = $1 AND state = 'open' ORDER BY offered_at, id;

-- name: refusals_in_region
-- Who does not get an open order again unless nobody else can take it, and since when: turned down, let expire, or
-- taken away by hand.
SELECT f.order_id, f.courier_id, max(f.answered_at) AS at
FROM offers AS f
INNER JOIN orders AS o ON f.order_id = o.id
WHERE
    o.region = $1 AND o.state IN ('placed', 'assigned', 'accepted', 'picked_up') AND f.state IN ('rejected', 'expired')
GROUP BY f.order_id, f.courier_id
UNION ALL
SELECT e.order_id, e.courier_id, max(e.at) AS at
FROM order_events AS e
INNER JOIN orders AS o ON e.order_id = o.id
WHERE
    o.region = $1 AND o.state IN ('placed', 'assigned', 'accepted', 'picked_up')
    AND e.action IN ('unassign', 'release') AND e.courier_id IS NOT NULL
GROUP BY e.order_id, e.courier_id;

-- name: lapsed_in_region
-- Couriers who let their last offers run out, with no answer between: $1 region, $2 none before this counts, $3 so many, $4
-- the last of them later than this.
WITH lately AS (
    SELECT courier_id, state, answered_at FROM offers
    WHERE region = $1 AND answered_at > $2 AND state IN ('accepted', 'rejected', 'expired')
),

answers AS (SELECT courier_id, max(answered_at) AS at FROM lately WHERE state <> 'expired' GROUP BY courier_id)

SELECT l.courier_id
FROM lately AS l
LEFT JOIN answers AS a ON l.courier_id = a.courier_id
WHERE l.state = 'expired' AND (a.at IS NULL OR l.answered_at > a.at)
GROUP BY l.courier_id
HAVING count(*) >= $3 AND max(l.answered_at) > $4;

-- name: stories
-- Of orders ($1) that nobody has accepted: how many of their offers since $2 ran out or were turned down since the last
-- one was accepted, and why the planner found nobody.
SELECT
    o.id AS order_id,
    count(f.id) FILTER (WHERE f.state = 'expired') AS n_expired,
    count(f.id) FILTER (WHERE f.state = 'rejected') AS n_rejected,
    (SELECT d.reasons FROM decisions AS d WHERE d.order_id = o.id) AS reasons
FROM orders AS o
LEFT JOIN offers AS f
    ON
        f.order_id = o.id AND f.state IN ('expired', 'rejected') AND f.offered_at > $2
        AND NOT EXISTS (
            SELECT FROM offers AS a WHERE a.order_id = o.id AND a.state = 'accepted' AND a.answered_at > f.answered_at
        )
WHERE o.id = ANY($1::uuid[])
GROUP BY o.id;

-- name: list
-- Newest first; filters may be NULL: $1 courier, $2 order, $3 states; $4, $5 cursor (offered_at, id), $6 how many.
SELECT id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts FROM offers
WHERE
    ($1::uuid IS NULL OR courier_id = $1) AND ($2::uuid IS NULL OR order_id = $2)
    AND ($3::text[] IS NULL OR state = ANY($3))
    AND ($4::timestamptz IS NULL OR (offered_at, id) < ($4::timestamptz, $5::uuid))
ORDER BY offered_at DESC, id DESC
LIMIT $6;
