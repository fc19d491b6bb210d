-- What is held of a courier, for the person to have ($1 courier): a key and the facts of each row, by key, from after $2
-- (NULL: from the first), $3 at most. Of others (recipients, staff) nothing that names them is in it.

-- name: courier
SELECT h.key, h.facts
FROM (SELECT c.id::text AS key, to_jsonb(c) AS facts FROM couriers AS c WHERE c.id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: tokens
SELECT h.key, h.facts
FROM (SELECT t.id::text AS key, to_jsonb(t) - 'hash' AS facts FROM tokens AS t WHERE t.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: invitations
SELECT h.key, h.facts
FROM (SELECT encode(i.hash, 'hex') AS key, to_jsonb(i) - 'hash' - 'created_by' AS facts FROM invitations AS i WHERE i.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: shifts
SELECT h.key, h.facts
FROM (SELECT s.id::text AS key, to_jsonb(s) AS facts FROM shifts AS s WHERE s.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: breaks
SELECT h.key, h.facts
FROM (SELECT b.id::text AS key, to_jsonb(b) AS facts FROM breaks AS b WHERE b.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: hours
SELECT h.key, h.facts
FROM (SELECT h.hour::text AS key, to_jsonb(h) AS facts FROM courier_hours AS h WHERE h.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: orders
-- Who ordered, and where to, is somebody else's.
SELECT h.key, h.facts
FROM (SELECT o.id::text AS key, jsonb_build_object(
    'id', o.id, 'region', o.region, 'state', o.state, 'assigned_at', o.assigned_at, 'accepted_at', o.accepted_at,
    'picked_up_at', o.picked_up_at, 'delivered_at', o.delivered_at, 'closed_at', o.closed_at, 'stars', r.stars
) AS facts FROM orders AS o LEFT JOIN order_ratings AS r ON o.id = r.order_id WHERE o.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: offers
SELECT h.key, h.facts
FROM (SELECT f.id::text AS key, to_jsonb(f) AS facts FROM offers AS f WHERE f.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: order_events
-- What the courier did.
SELECT h.key, h.facts
FROM (SELECT lpad(e.id::text, 20, '0') AS key, to_jsonb(e) AS facts FROM order_events AS e
    WHERE e.courier_id = $1 AND e.role = 'courier'
        AND e.order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1)) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: order_comments
-- What the courier wrote.
SELECT h.key, h.facts
FROM (SELECT lpad(m.id::text, 20, '0') AS key, to_jsonb(m) AS facts FROM order_comments AS m
    WHERE m.role = 'courier' AND m.actor = 'courier:' || $1::uuid
        AND m.order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1)) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: courier_messages
-- To support, and from there; who answered, is theirs.
SELECT h.key, h.facts
FROM (SELECT lpad(m.id::text, 20, '0') AS key, to_jsonb(m) - 'actor' AS facts FROM courier_messages AS m WHERE m.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: browsers
-- That asked to be told; without their keys.
SELECT h.key, h.facts
FROM (SELECT c.id::text AS key, to_jsonb(c) - 'push' AS facts FROM channels AS c WHERE c.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: order_pictures
-- What the courier took; the pictures themselves are the orders'.
SELECT h.key, h.facts
FROM (SELECT p.id::text AS key, to_jsonb(p) - 'content' AS facts FROM order_pictures AS p WHERE p.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: pay
-- What the courier earned; who booked it by hand is theirs.
SELECT h.key, h.facts
FROM (SELECT lpad(e.n::text, 20, '0') AS key, to_jsonb(e) - 'actor' AS facts FROM pay_entries AS e WHERE e.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: pay_facts
-- What that was made of.
SELECT h.key, h.facts
FROM (SELECT f.about AS key, to_jsonb(f) AS facts FROM pay_facts AS f WHERE f.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: pay_due
-- What is to be booked.
SELECT h.key, h.facts
FROM (SELECT d.about AS key, to_jsonb(d) - 'cause' AS facts FROM pay_due AS d WHERE d.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: days
-- How many orders and offers there were.
SELECT h.key, h.facts
FROM (SELECT d.day::text || d.region AS key, to_jsonb(d) - 'doors' AS facts FROM order_days AS d WHERE d.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: route
SELECT h.key, h.facts
FROM (SELECT r.courier_id::text AS key, to_jsonb(r) AS facts FROM routes AS r WHERE r.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: decisions
SELECT h.key, h.facts
FROM (SELECT d.order_id::text AS key, to_jsonb(d) AS facts FROM decisions AS d WHERE d.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: stays
SELECT h.key, h.facts
FROM (SELECT s.arrived_at::text AS key, to_jsonb(s) AS facts FROM stays AS s WHERE s.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: fence_events
SELECT h.key, h.facts
FROM (SELECT (v.at, v.fence_id, v.kind)::text AS key, to_jsonb(v) AS facts FROM fence_events AS v WHERE v.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: visits
SELECT h.key, h.facts
FROM (SELECT v.order_id::text || v.kind AS key, to_jsonb(v) AS facts FROM stop_visits AS v WHERE v.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: legs
-- What travel times are learned from.
SELECT h.key, h.facts
FROM (SELECT s.order_id::text || s.kind AS key, to_jsonb(s) AS facts FROM tracked_stops AS s WHERE s.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: alerts
SELECT h.key, h.facts
FROM (SELECT a.id::text AS key, to_jsonb(a) - 'acknowledged_by' - 'assigned_to' - 'snoozed_by' AS facts FROM alerts AS a WHERE a.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: quarantine
-- What could not be used of what a phone sent.
SELECT h.key, h.facts
FROM (SELECT lpad(q.id::text, 20, '0') AS key, to_jsonb(q) - 'payload' - 'digest' || jsonb_build_object('payload', encode(q.payload, 'escape')) AS facts FROM quarantine AS q WHERE q.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: inbox
-- What other systems told of the courier, by our id or theirs.
SELECT h.key, h.facts
FROM (
    SELECT lpad(b.n::text, 20, '0') AS key, to_jsonb(b) - 'body' AS facts FROM inbox AS b
    WHERE b.subject IN ($1::uuid::text, (SELECT c.external_id FROM couriers AS c WHERE c.id = $1))
) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: channels
-- Browsers that asked to be told, without what it takes to tell them.
SELECT h.key, h.facts
FROM (SELECT c.id::text AS key, to_jsonb(c) - 'url' - 'push' AS facts FROM channels AS c WHERE c.courier_id = $1) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: audit
-- That somebody of the staff did or looked at something; who, is theirs.
SELECT h.key, h.facts
FROM (SELECT lpad(l.id::text, 20, '0') AS key, jsonb_build_object('at', l.at, 'role', l.role, 'action', l.action, 'facts', l.facts) AS facts FROM audit_log AS l WHERE l.subject = 'courier:' || $1::uuid) AS h
WHERE $2::text IS NULL OR h.key > $2
ORDER BY h.key LIMIT $3;

-- name: counts
-- How many rows of each kind there are; $1 courier.
SELECT h.kind, h.n
FROM (
    SELECT 'courier' AS kind, count(*) AS n FROM couriers AS x WHERE x.id = $1
    UNION ALL
    SELECT 'tokens', count(*) FROM tokens AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'invitations', count(*) FROM invitations AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'browsers', count(*) FROM channels AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'shifts', count(*) FROM shifts AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'breaks', count(*) FROM breaks AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'hours', count(*) FROM courier_hours AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'orders', count(*) FROM orders AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'offers', count(*) FROM offers AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'order_events', count(*) FROM order_events AS x WHERE x.courier_id = $1 AND x.role = 'courier'
        AND x.order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1)
    UNION ALL
    SELECT 'order_comments', count(*) FROM order_comments AS x WHERE x.role = 'courier' AND x.actor = 'courier:' || $1::uuid
        AND x.order_id IN (SELECT o.id FROM orders AS o WHERE o.courier_id = $1 UNION SELECT f.order_id FROM offers AS f WHERE f.courier_id = $1)
    UNION ALL
    SELECT 'courier_messages', count(*) FROM courier_messages AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'order_pictures', count(*) FROM order_pictures AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'pay', count(*) FROM pay_entries AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'pay_facts', count(*) FROM pay_facts AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'pay_due', count(*) FROM pay_due AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'days', count(*) FROM order_days AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'route', count(*) FROM routes AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'decisions', count(*) FROM decisions AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'stays', count(*) FROM stays AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'fence_events', count(*) FROM fence_events AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'visits', count(*) FROM stop_visits AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'legs', count(*) FROM tracked_stops AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'alerts', count(*) FROM alerts AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'quarantine', count(*) FROM quarantine AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'inbox', count(*) FROM inbox AS x
    WHERE x.subject IN ($1::uuid::text, (SELECT c.external_id FROM couriers AS c WHERE c.id = $1))
    UNION ALL
    SELECT 'channels', count(*) FROM channels AS x WHERE x.courier_id = $1
    UNION ALL
    SELECT 'audit', count(*) FROM audit_log AS x WHERE x.subject = 'courier:' || $1::uuid
    UNION ALL
    SELECT 'fixes', count(*) FROM positions AS x WHERE x.courier_id = $1
) AS h;
