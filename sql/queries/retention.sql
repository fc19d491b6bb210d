-- What is too old goes, some rows at a time. Each: $1 older than this, $2 most rows; app/commands/forgetting.py says how
-- long what is kept. Fixes, rollups and the quarantine are housekeeping.sql's.

-- name: stays
DELETE FROM stays WHERE ctid = ANY(ARRAY(SELECT s.ctid FROM stays AS s WHERE s.departed_at < $1 LIMIT $2));

-- name: fence_events
DELETE FROM fence_events WHERE ctid = ANY(ARRAY(SELECT e.ctid FROM fence_events AS e WHERE e.at < $1 LIMIT $2));

-- name: stop_visits
DELETE FROM stop_visits WHERE ctid = ANY(ARRAY(SELECT v.ctid FROM stop_visits AS v WHERE v.arrived_at < $1 LIMIT $2));

-- name: alerts
DELETE FROM alerts WHERE id = ANY(ARRAY(
    SELECT a.id FROM alerts AS a WHERE a.raised_at < $1 AND a.resolved_at < $1 ORDER BY a.raised_at LIMIT $2
));

-- name: shifts
DELETE FROM shifts WHERE id = ANY(ARRAY(
    SELECT s.id FROM shifts AS s
    WHERE
        s.ends_at < $1
        -- Whoever has shifts works only inside them: the last one stays.
        AND EXISTS (SELECT FROM shifts AS l WHERE l.courier_id = s.courier_id AND l.starts_at > s.starts_at)
    LIMIT $2
));

-- name: breaks
DELETE FROM breaks WHERE id = ANY(ARRAY(SELECT b.id FROM breaks AS b WHERE b.ended_at < $1 ORDER BY b.ended_at LIMIT $2));

-- name: audit_log
DELETE FROM audit_log WHERE id = ANY(ARRAY(SELECT a.id FROM audit_log AS a WHERE a.at < $1 ORDER BY a.at LIMIT $2));

-- name: order_contacts
-- Who it was for and where exactly goes long before the order does.
UPDATE orders SET
    pickup_contact = NULL, pickup_instructions = NULL, pickup_address = NULL,
    dropoff_contact = NULL, dropoff_instructions = NULL, dropoff_address = NULL, customer_id = NULL, proof = NULL
WHERE id = ANY(ARRAY(
    SELECT o.id FROM orders AS o
    WHERE
        o.placed_at < $1 AND o.closed_at < $1
        AND num_nonnulls(
            o.pickup_contact, o.pickup_instructions, o.pickup_address, o.dropoff_contact, o.dropoff_instructions,
            o.dropoff_address, o.customer_id, o.proof
        ) > 0
    LIMIT $2
));

-- name: order_pictures
-- Their files go after them.
DELETE FROM order_pictures WHERE id = ANY(ARRAY(
    SELECT p.id FROM order_pictures AS p INNER JOIN orders AS o ON p.order_id = o.id
    WHERE p.stored_at < $1 AND o.closed_at < $1 LIMIT $2
));

-- name: order_codes
DELETE FROM order_codes WHERE order_id = ANY(ARRAY(
    SELECT c.order_id FROM order_codes AS c INNER JOIN orders AS o ON c.order_id = o.id WHERE o.closed_at < $1 LIMIT $2
));

-- name: order_comments
DELETE FROM order_comments WHERE id = ANY(ARRAY(
    SELECT c.id FROM order_comments AS c INNER JOIN orders AS o ON c.order_id = o.id
    WHERE c.at < $1 AND o.closed_at < $1 LIMIT $2
));

-- name: orders
-- With events, comments, offers, decisions, tracked stops and links.
DELETE FROM orders WHERE id = ANY(ARRAY(
    SELECT o.id FROM orders AS o WHERE o.placed_at < $1 AND o.closed_at < $1 ORDER BY o.placed_at LIMIT $2
));

-- name: share_links
DELETE FROM share_links WHERE hash = ANY(ARRAY(SELECT l.hash FROM share_links AS l WHERE l.expires_at < $1 LIMIT $2));

-- name: invitations
DELETE FROM invitations WHERE hash = ANY(ARRAY(SELECT i.hash FROM invitations AS i WHERE i.expires_at < $1 LIMIT $2));

-- name: outbox
-- With what waits to be sent, and what was.
DELETE FROM outbox WHERE n = ANY(ARRAY(SELECT o.n FROM outbox AS o WHERE o.written_at < $1 ORDER BY o.written_at LIMIT $2));

-- name: messages
DELETE FROM messages WHERE id = ANY(ARRAY(SELECT m.id FROM messages AS m WHERE m.made_at < $1 ORDER BY m.made_at LIMIT $2));

-- name: outbox_heads
-- Whatever happens to it after that begins to count anew.
DELETE FROM outbox_heads WHERE subject = ANY(ARRAY(SELECT h.subject FROM outbox_heads AS h WHERE h.at < $1 LIMIT $2));

-- name: inbox
-- What had its effect: from then on one that comes again is known by the order itself.
DELETE FROM inbox WHERE n = ANY(ARRAY(
    SELECT i.n FROM inbox AS i WHERE i.received_at < $1 AND i.state = 'done' ORDER BY i.received_at LIMIT $2
));

-- name: inbox_letters
-- Those without effect, with what they say of people.
DELETE FROM inbox WHERE n = ANY(ARRAY(SELECT i.n FROM inbox AS i WHERE i.received_at < $1 AND i.state <> 'done' LIMIT $2));

-- name: inbox_heads
DELETE FROM inbox_heads WHERE (source, subject) IN (SELECT h.source, h.subject FROM inbox_heads AS h WHERE h.at < $1 LIMIT $2);

-- name: tokens
DELETE FROM tokens WHERE id = ANY(ARRAY(
    SELECT t.id FROM tokens AS t WHERE
        least(
            t.revoked_at, t.expires_at,
            t.seen_at + make_interval(secs => t.idle_s)
        ) < $1
    -- An erasure still needs their hashes.
    AND NOT EXISTS (SELECT FROM erased_couriers AS e WHERE e.courier_id = t.courier_id AND e.finished_at IS NULL)
    LIMIT $2
));

-- name: users
-- Those who were removed, when no audit row tells of them any more.
DELETE FROM users WHERE id = ANY(ARRAY(SELECT u.id FROM users AS u WHERE u.deleted_at < $1 ORDER BY u.deleted_at LIMIT $2));

-- name: courier_hours
DELETE FROM courier_hours WHERE ctid = ANY(ARRAY(SELECT h.ctid FROM courier_hours AS h WHERE h.hour < $1 LIMIT $2));

-- name: order_hours
DELETE FROM order_hours WHERE ctid = ANY(ARRAY(SELECT h.ctid FROM order_hours AS h WHERE h.hour < $1 LIMIT $2));

-- name: order_days
DELETE FROM order_days WHERE ctid = ANY(ARRAY(SELECT d.ctid FROM order_days AS d WHERE d.day < $1 LIMIT $2));

-- name: order_days_addresses
UPDATE order_days SET address = NULL
WHERE ctid = ANY(ARRAY(SELECT d.ctid FROM order_days AS d WHERE d.day < $1 AND d.address IS NOT NULL LIMIT $2));

-- name: pay_due
-- What could not be booked in all that time, for its order goes, too.
DELETE FROM pay_due WHERE ctid = ANY(ARRAY(SELECT d.ctid FROM pay_due AS d WHERE d.made_at < $1 LIMIT $2));

-- name: pay_facts
DELETE FROM pay_facts WHERE ctid = ANY(ARRAY(SELECT f.ctid FROM pay_facts AS f WHERE f.at < $1 ORDER BY f.at LIMIT $2));

-- name: pay_entries
DELETE FROM pay_entries WHERE n = ANY(ARRAY(SELECT e.n FROM pay_entries AS e WHERE e.at < $1 ORDER BY e.at LIMIT $2));

-- name: stock_movements
-- Of each batch the sum of what goes stays, as one movement.
WITH old AS MATERIALIZED (
    SELECT m.n, m.batch_id, m.place_id, m.item_id, m.quantity FROM stock_movements AS m
    WHERE m.at < $1 ORDER BY m.at LIMIT $2 FOR UPDATE SKIP LOCKED
),

carried AS (
    INSERT INTO stock_movements (id, batch_id, place_id, item_id, kind, quantity, at, actor, role)
    SELECT gen_random_uuid(), o.batch_id, o.place_id, o.item_id, 'carried', sum(o.quantity), clock_timestamp(), 'retention', 'system'
    FROM old AS o GROUP BY o.batch_id, o.place_id, o.item_id HAVING sum(o.quantity) <> 0
)

DELETE FROM stock_movements WHERE n IN (SELECT o.n FROM old AS o);

-- name: stock_counts
DELETE FROM stock_counts WHERE id = ANY(ARRAY(SELECT c.id FROM stock_counts AS c WHERE c.at < $1 ORDER BY c.at LIMIT $2));

-- name: stock_batches
-- Empty ones, when no movement tells of them any more; the last of its goods at a place says that there were any.
DELETE FROM stock_batches WHERE id = ANY(ARRAY(
    SELECT b.id FROM stock_batches AS b
    WHERE
        b.quantity = 0 AND b.moved_at < $1
        AND NOT EXISTS (SELECT FROM stock_movements AS m WHERE m.batch_id = b.id)
        AND EXISTS (
            SELECT FROM stock_batches AS l
            WHERE l.place_id = b.place_id AND l.item_id = b.item_id AND (l.moved_at, l.n) > (b.moved_at, b.n)
        )
    ORDER BY b.moved_at LIMIT $2
    FOR UPDATE SKIP LOCKED
));

-- name: courier_messages
DELETE FROM courier_messages WHERE id = ANY(ARRAY(
    SELECT m.id FROM courier_messages AS m WHERE m.at < $1 ORDER BY m.at LIMIT $2
));
