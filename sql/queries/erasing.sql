-- What is done for a courier who is erased, in one transaction; each of $1 courier. What finds nothing any more is
-- harmless: housekeeping goes over it again (app/commands/erasing.py).

-- name: hold
-- Routes before couriers, as a dispatcher takes them.
SELECT courier_id FROM routes WHERE courier_id = $1 FOR UPDATE;

-- name: courier
UPDATE couriers
SET
    name = 'erased', external_id = NULL, attributes = '{}', skills = '{}', capacity = '{}', on_duty = false,
    areas = '{}', home_lat = NULL, home_lon = NULL, range_m = NULL,
    deleted_at = coalesce(deleted_at, now()), updated_at = now()
WHERE id = $1;

-- name: inbox
-- What other systems told of the courier; what they told by an id of theirs stands by ours since that one became free.
DELETE FROM inbox WHERE subject = $1::uuid::text;

-- name: inbox_heads
DELETE FROM inbox_heads WHERE subject = $1::uuid::text;

-- name: outbox_refused
DELETE FROM outbox
WHERE
    type = 'postrider.command.refused'
    AND data ->> 'subject' = $1::uuid::text;

-- name: audit_facts
-- That somebody did it stays; what of it names the person goes.
UPDATE audit_log SET facts = '{}' WHERE subject = 'courier:' || $1::uuid AND facts <> '{}';

-- name: audit_actor
-- What the courier did, with the address of the courier's phone. A name that several couriers' tokens bear names nobody.
UPDATE audit_log SET actor = 'courier:' || $1::uuid, ip = NULL
WHERE
    role = 'courier'
    AND (
        (actor = 'courier:' || $1::uuid AND ip IS NOT NULL)
        OR actor IN (
            SELECT 'courier:' || t.name FROM tokens AS t
            WHERE
                t.courier_id = $1 AND t.name NOT IN ('', 'erased')
                AND NOT EXISTS (SELECT FROM tokens AS o WHERE o.name = t.name AND o.courier_id <> t.courier_id)
        )
    );

-- name: order_events
-- The courier's own words.
UPDATE order_events SET actor = 'courier:' || $1::uuid, reason = NULL
WHERE
    role = 'courier' AND (reason IS NOT NULL OR actor <> 'courier:' || $1::uuid) AND courier_id = $1
    AND order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1);

-- name: outbox
-- What was told of the courier, sent or not; of orders, only the courier's own words go.
DELETE FROM outbox WHERE courier_id = $1 AND type NOT LIKE 'postrider.order.%';

-- name: deliveries
-- Whoever was sent an event may have said it back.
UPDATE event_deliveries SET answer = NULL
WHERE answer IS NOT NULL AND n IN (SELECT o.n FROM outbox AS o WHERE o.courier_id = $1);

-- name: outbox_orders
UPDATE outbox SET data = data #- '{change,reason}'
WHERE courier_id = $1 AND type LIKE 'postrider.order.%' AND data -> 'change' ->> 'role' = 'courier';

-- name: order_comments
-- What the courier wrote about orders.
DELETE FROM order_comments
WHERE
    role = 'courier' AND actor = 'courier:' || $1::uuid
    AND order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1);

-- name: courier_messages
-- What the courier wrote to support, and was answered.
DELETE FROM courier_messages WHERE courier_id = $1;

-- name: channels
-- Of the courier's browsers; those of tokens go with the tokens.
DELETE FROM channels WHERE courier_id = $1;

-- name: order_pictures
-- What the courier took; the files go after them.
DELETE FROM order_pictures WHERE courier_id = $1;

-- name: offers
UPDATE offers SET reason = NULL, facts = '{}' WHERE courier_id = $1 AND (reason IS NOT NULL OR facts <> '{}');

-- name: routes
DELETE FROM routes WHERE courier_id = $1;

-- name: day_plans
-- Whole plans that name the courier: they can be made again.
DELETE FROM day_plans WHERE strpos(plan::text, $1::uuid::text) > 0;

-- name: decisions
DELETE FROM decisions WHERE courier_id = $1;

-- name: shifts
DELETE FROM shifts WHERE courier_id = $1;

-- name: breaks
DELETE FROM breaks WHERE courier_id = $1;

-- name: learned_models
-- They know the courier's pace and legs; the learner makes them anew.
DELETE FROM learned_models AS m USING tracked_stops AS t WHERE t.courier_id = $1 AND m.region = t.region;

-- name: tracked_stops
DELETE FROM tracked_stops WHERE courier_id = $1;

-- name: answers
-- Those given to the courier's phones, and those that tell of the courier.
DELETE FROM idempotency_keys
WHERE caller IN (SELECT t.id::text FROM tokens AS t WHERE t.courier_id = $1) OR strpos(body::text, $1::uuid::text) > 0;

-- name: invitations
DELETE FROM invitations WHERE courier_id = $1;

-- name: tokens
-- The hashes, so that caches can forget them.
UPDATE tokens SET name = 'erased', prefix = 'erased', revoked_at = coalesce(revoked_at, now())
WHERE courier_id = $1
RETURNING hash;

-- name: due
-- $1 now: those to go over, the longest waiting first; each again after a while that grows with its age, up to an hour.
SELECT courier_id, erased_at FROM erased_couriers
WHERE finished_at IS NULL AND (tried_at IS NULL OR tried_at + least((tried_at - erased_at) / 2, interval '1 hour') <= $1)
ORDER BY tried_at NULLS FIRST
LIMIT 100;

-- name: tried
-- $2 now.
UPDATE erased_couriers SET tried_at = $2 WHERE courier_id = $1;

-- name: finish
-- $2 now.
WITH gone AS (DELETE FROM tokens WHERE courier_id = $1)

UPDATE erased_couriers SET finished_at = $2 WHERE courier_id = $1;

-- name: unfinished
-- How many, and since when the oldest waits.
SELECT count(*) AS n, min(erased_at) AS oldest_at FROM erased_couriers WHERE finished_at IS NULL;

-- name: any_since
-- $1 instant: whether somebody was erased since then.
SELECT EXISTS (SELECT FROM erased_couriers AS e WHERE e.erased_at > $1 OR e.finished_at > $1);
