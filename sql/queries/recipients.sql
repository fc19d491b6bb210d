-- What is held of a recipient or a sender, found by what an order's contact says (app/commands/recipients.py). Each: $1
-- name or e-mail address in lower case, $2 digits of a phone number, or ''.

-- name: held
SELECT
    count(*) AS orders,
    count(*) FILTER (WHERE o.closed_at IS NULL) AS open,
    coalesce(sum((SELECT count(*) FROM order_pictures AS p WHERE p.order_id = o.id)), 0)::bigint AS pictures,
    min(o.placed_at) AS since,
    max(o.placed_at) AS until
FROM orders AS o
WHERE contact_is(o.pickup_contact, $1, $2) OR contact_is(o.dropoff_contact, $1, $2);

-- name: orders
-- By id, from after $3 (NULL: from the first), $4 at most: what names the person, and what became of the order.
SELECT
    o.id,
    jsonb_build_object(
        'id', o.id, 'external_id', o.external_id, 'region', o.region, 'state', o.state, 'placed_at', o.placed_at,
        'closed_at', o.closed_at, 'proof', o.proof, 'stars', r.stars
    )
    || CASE WHEN contact_is(o.pickup_contact, $1, $2) THEN jsonb_build_object(
        'pickup', jsonb_build_object('contact', o.pickup_contact, 'address', o.pickup_address, 'instructions', o.pickup_instructions)
    ) ELSE '{}' END
    || CASE WHEN contact_is(o.dropoff_contact, $1, $2) THEN jsonb_build_object(
        'dropoff', jsonb_build_object('contact', o.dropoff_contact, 'address', o.dropoff_address, 'instructions', o.dropoff_instructions)
    ) ELSE '{}' END AS facts
FROM orders AS o LEFT JOIN order_ratings AS r ON o.id = r.order_id
WHERE
    (contact_is(o.pickup_contact, $1, $2) OR contact_is(o.dropoff_contact, $1, $2)) AND ($3::uuid IS NULL OR o.id > $3)
ORDER BY o.id LIMIT $4;

-- name: erase
-- Of closed orders, $3 at most; returns them.
UPDATE orders AS o SET
    pickup_contact = CASE WHEN NOT contact_is(o.pickup_contact, $1, $2) THEN o.pickup_contact END,
    pickup_address = CASE WHEN NOT contact_is(o.pickup_contact, $1, $2) THEN o.pickup_address END,
    pickup_instructions = CASE WHEN NOT contact_is(o.pickup_contact, $1, $2) THEN o.pickup_instructions END,
    dropoff_contact = CASE WHEN NOT contact_is(o.dropoff_contact, $1, $2) THEN o.dropoff_contact END,
    dropoff_address = CASE WHEN NOT contact_is(o.dropoff_contact, $1, $2) THEN o.dropoff_address END,
    dropoff_instructions = CASE WHEN NOT contact_is(o.dropoff_contact, $1, $2) THEN o.dropoff_instructions END,
    customer_id = NULL, proof = NULL
WHERE o.id = ANY(ARRAY(
    SELECT w.id FROM orders AS w
    WHERE w.closed_at IS NOT NULL AND (contact_is(w.pickup_contact, $1, $2) OR contact_is(w.dropoff_contact, $1, $2))
    ORDER BY w.id LIMIT $3 FOR UPDATE
))
RETURNING o.id, o.external_id;

-- name: erase_pictures
-- $1 orders; so the others below. The files go after them.
DELETE FROM order_pictures WHERE order_id = ANY($1::uuid []);

-- name: erase_codes
DELETE FROM order_codes WHERE order_id = ANY($1::uuid []);

-- name: erase_links
DELETE FROM share_links WHERE order_id = ANY($1::uuid []);

-- name: erase_comments
DELETE FROM order_comments WHERE order_id = ANY($1::uuid []);

-- name: erase_answers
-- Whoever was sent an event may have said it back.
UPDATE event_deliveries SET answer = NULL
WHERE answer IS NOT NULL AND n IN (SELECT e.n FROM outbox AS e WHERE e.subject = ANY($1::uuid []));

-- name: erase_events
-- They go out without it.
UPDATE outbox SET data = data || jsonb_build_object('order', (data -> 'order') || '{
    "pickup_contact": null, "pickup_address": null, "pickup_instructions": null,
    "dropoff_contact": null, "dropoff_address": null, "dropoff_instructions": null, "customer_id": null, "proof": null
}')
WHERE subject = ANY($1::uuid []) AND jsonb_typeof(data -> 'order') = 'object';

-- name: erase_commands
-- $2 the ids that others gave the orders.
UPDATE inbox SET state = 'done', body = NULL, due_at = NULL
WHERE body IS NOT NULL AND (subject = ANY($1::uuid []::text []) OR subject = ANY($2::text []));
