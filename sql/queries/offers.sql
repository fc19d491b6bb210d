-- name: insert
-- $1 order, $2 courier, $3 region, $4 when, $5 until, $6 facts.
INSERT INTO offers (order_id, courier_id, region, offered_at, expires_at, facts)
VALUES ($1, $2, $3, $4, $5, $6::jsonb)
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id;

-- name: insert_many
-- $1 ids, $2 orders, $3 couriers, $4 facts, $5 the offers they belong to (or NULL); $6 region, $7 when, $8 until.
INSERT INTO offers (id, order_id, courier_id, region, offered_at, expires_at, facts, bundle_id)
SELECT given.id, given.order_id, given.courier_id, $6, $7, $8, given.facts::jsonb, given.bundle_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[])
    AS given (id, order_id, courier_id, facts, bundle_id)
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id;

-- name: rows_of
-- The orders of an offer ($1, or the id of one of its rows), as each was offered.
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id
FROM offers
WHERE
    id = $1
    OR bundle_id = (SELECT b.bundle_id FROM offers AS b WHERE b.id = $1)
ORDER BY id;

-- name: lock_rows
-- $1 rows.
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id
FROM offers WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE;

-- name: close_of_order
-- The open offers of an order: $1 order, $2 how they ended, $3 when, $4 why.
UPDATE offers SET state = $2, answered_at = $3, reason = $4 WHERE order_id = $1 AND state = 'open'
RETURNING id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id;

-- name: close_of_couriers
-- What of orders ($1) is open to couriers ($2): $3 how that ended, $4 when, $5 why (one a courier).
UPDATE offers AS f SET state = $3, answered_at = $4, reason = given.reason
FROM unnest($2::uuid[], $5::text[]) AS given (courier_id, reason)
WHERE f.order_id = ANY($1::uuid[]) AND f.courier_id = given.courier_id AND f.state = 'open'
RETURNING
    f.id, f.order_id, f.courier_id, f.region, f.state, f.offered_at, f.expires_at, f.answered_at, f.reason, f.facts,
    f.bundle_id;

-- name: next_asked
-- Of orders ($1) that somebody is still asked for, who has them meanwhile: whoever has them already, if asked, or else the
-- same one of all that are offered together.
SELECT DISTINCT ON (f.order_id) f.order_id, f.courier_id FROM offers AS f
INNER JOIN orders AS o ON f.order_id = o.id
WHERE f.order_id = ANY($1::uuid[]) AND f.state = 'open'
ORDER BY f.order_id, f.courier_id = o.courier_id DESC, f.courier_id;

-- name: also_asked
-- Couriers of a region ($1) who are asked for orders that somebody else has till they answer, and for how many.
SELECT f.courier_id, count(*) AS n FROM offers AS f
INNER JOIN orders AS o ON f.order_id = o.id
WHERE f.state = 'open' AND f.region = $1 AND o.courier_id IS DISTINCT FROM f.courier_id
GROUP BY f.courier_id;

-- name: close_many
-- The open offers of orders ($1): $2 how they ended, $3 when, $4 why (one an order). Only those that had run out by $5, where
-- it is given.
UPDATE offers AS f SET state = $2, answered_at = $3, reason = given.reason
FROM unnest($1::uuid[], $4::text[]) AS given (order_id, reason)
WHERE f.order_id = given.order_id AND f.state = 'open' AND ($5::timestamptz IS NULL OR f.expires_at <= $5)
RETURNING
    f.id, f.order_id, f.courier_id, f.region, f.state, f.offered_at, f.expires_at, f.answered_at, f.reason, f.facts,
    f.bundle_id;

-- name: open_of_courier
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id
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
-- the last of them (`at`) later than this; $5 only of these, or NULL. Nor counts what was forgotten.
WITH lately AS (
    SELECT f.id, f.bundle_id, f.courier_id, f.state, f.answered_at FROM offers AS f
    INNER JOIN couriers AS c ON f.courier_id = c.id
    WHERE
        f.region = $1 AND f.answered_at > $2 AND f.state IN ('accepted', 'rejected', 'expired')
        AND (c.lapses_from IS NULL OR f.answered_at > c.lapses_from)
        AND ($5::uuid[] IS NULL OR f.courier_id = ANY($5))
),

answers AS (SELECT courier_id, max(answered_at) AS at FROM lately WHERE state <> 'expired' GROUP BY courier_id)

SELECT l.courier_id, max(l.answered_at) AS at
FROM lately AS l
LEFT JOIN answers AS a ON l.courier_id = a.courier_id
WHERE l.state = 'expired' AND (a.at IS NULL OR l.answered_at > a.at)
GROUP BY l.courier_id
HAVING count(DISTINCT coalesce(l.bundle_id, l.id)) >= $3 AND max(l.answered_at) > $4;

-- name: just_expired
-- Who let offers of orders ($1) run out, as it was noted at $2.
SELECT DISTINCT courier_id FROM offers WHERE order_id = ANY($1::uuid[]) AND state = 'expired' AND answered_at = $2;

-- name: forget_lapses
-- What ran out by $2 does not count against courier $1 any more.
UPDATE couriers SET lapses_from = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING region;

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
-- Offers, newest first, of which a row is what is asked for; filters may be NULL: $1 courier, $2 order, $3 states; $4, $5
-- cursor (offered_at, id), $6 how many.
SELECT DISTINCT offered_at, coalesce(bundle_id, id) AS id FROM offers
WHERE
    ($1::uuid IS NULL OR courier_id = $1) AND ($2::uuid IS NULL OR order_id = $2)
    AND ($3::text[] IS NULL OR state = ANY($3))
    AND ($4::timestamptz IS NULL OR (offered_at, coalesce(bundle_id, id)) < ($4::timestamptz, $5::uuid))
ORDER BY offered_at DESC, id DESC
LIMIT $6;

-- name: rows_of_many
-- $1 offers.
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id
FROM offers WHERE id = ANY($1::uuid[])
UNION
SELECT
    id, order_id, courier_id, region, state, offered_at, expires_at, answered_at, reason, facts, bundle_id
FROM offers WHERE bundle_id = ANY($1::uuid[])
ORDER BY id;
