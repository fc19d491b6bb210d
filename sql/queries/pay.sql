-- What couriers earn (dispatch/pay).

-- name: hold_region
-- Versions of a region's rules are made one after the other; $1 region.
SELECT pg_advisory_xact_lock(hashtextextended('pay rules of ' || $1, 0));

-- name: hold_courier
-- What a courier earns is booked by one at a time; $1 courier.
SELECT pg_advisory_xact_lock(hashtextextended('pay of ' || $1::uuid, 0));

-- name: add_rules
-- $1 region, $2 in force from, $3 source, $4 note, $5 who.
INSERT INTO pay_rules (region, version, in_force_from, source, note, created_by)
SELECT $1, coalesce(max(r.version), 0) + 1, $2, $3, $4, $5 FROM pay_rules AS r WHERE r.region = $1
RETURNING region, version, in_force_from, source, note, created_at, created_by;

-- name: versions
-- $1 region: when each is in force from.
SELECT version, in_force_from FROM pay_rules WHERE region = $1 ORDER BY in_force_from, version;

-- name: source
-- $1 region, $2 version.
SELECT source FROM pay_rules WHERE region = $1 AND version = $2;

-- name: in_force
-- $1 region, $2 instant.
SELECT version, source FROM pay_rules WHERE region = $1 AND in_force_from <= $2
ORDER BY in_force_from DESC, version DESC LIMIT 1;

-- name: for_offers
-- $1 region, $2 instant: the rules in force, and where the clock is.
SELECT p.source, r.timezone FROM pay_rules AS p INNER JOIN regions AS r ON p.region = r.id
WHERE p.region = $1 AND p.in_force_from <= $2
ORDER BY p.in_force_from DESC, p.version DESC LIMIT 1;

-- name: list_rules
-- $1 region, $2 versions before this one (NULL: from the newest), $3 most rows.
SELECT region, version, in_force_from, source, note, created_at, created_by
FROM pay_rules WHERE region = $1 AND ($2::int IS NULL OR version < $2)
ORDER BY version DESC LIMIT $3;

-- name: look_again
-- What ended in a region since then is booked again, by whatever rules are in force now: $1 region, $2 instant.
INSERT INTO pay_due (courier_id, about, region, event_id)
SELECT e.courier_id, 'order:' || e.id, o.region, e.id
FROM orders AS o INNER JOIN order_events AS e ON o.id = e.order_id
WHERE
    o.region = $1 AND o.closed_at >= $2 AND e.at >= $2 AND e.courier_id IS NOT NULL
    AND e.action IN ('delivered', 'failed', 'returned')
ORDER BY e.courier_id, e.id
ON CONFLICT (courier_id, about) DO UPDATE SET due_at = excluded.due_at;

-- name: look_at_days_again
-- $1 region, $2 day: from that one on.
UPDATE pay_days SET next_day = least(next_day, $2) WHERE region = $1;

-- name: due
-- $1 now, $2 most rows.
SELECT courier_id, about, region, event_id, day FROM pay_due WHERE due_at <= $1 ORDER BY due_at LIMIT $2;

-- name: take_due
-- $1 courier, $2 about. No row: somebody else was faster.
DELETE FROM pay_due WHERE courier_id = $1 AND about = $2
RETURNING courier_id, about, region, event_id, day, made_at;

-- name: put_off
-- $1 courier, $2 about, $3 until, $4 why.
UPDATE pay_due SET tries = tries + 1, due_at = $3, cause = $4 WHERE courier_id = $1 AND about = $2
RETURNING tries;

-- name: put_off_until
-- $1 courier, $2 about, $3 until.
UPDATE pay_due SET due_at = $3 WHERE courier_id = $1 AND about = $2;

-- name: aside
-- What could not be booked, some of it: $1 most rows.
SELECT region, courier_id, cause FROM pay_due WHERE tries > 0 ORDER BY made_at LIMIT $1;

-- name: waiting
SELECT count(*) AS n, min(made_at) AS oldest_at FROM pay_due;

-- name: put_day
-- $1 courier, $2 region, $3 day: what it earned beside its orders is to be looked at.
INSERT INTO pay_due (courier_id, about, region, day)
VALUES ($1, 'day:' || $2::text || ':' || $3::date, $2, $3)
ON CONFLICT (courier_id, about) DO UPDATE SET due_at = least(pay_due.due_at, excluded.due_at);

-- name: ended
-- What ended for a courier: $1 event.
SELECT
    e.id, e.order_id, e.courier_id, e.action, e.at, e.facts, o.region, o.partner, o.priority, o.size, o.ready_at,
    o.pickup_lat, o.pickup_lon, o.dropoff_lat, o.dropoff_lon, o.dropoff_due_at, o.dropoff_closes_at, c.mode,
    v.arrived_at, v.departed_at
FROM order_events AS e
INNER JOIN orders AS o ON e.order_id = o.id
INNER JOIN couriers AS c ON e.courier_id = c.id
LEFT JOIN stop_visits AS v ON v.order_id = e.order_id AND v.kind = 'pickup' AND v.courier_id = e.courier_id
WHERE e.id = $1;

-- name: steps_before
-- What was done to an order until then: $1 order, $2 event.
SELECT id, action, to_state, courier_id, at, facts FROM order_events WHERE order_id = $1 AND id <= $2 ORDER BY id;

-- name: add_facts
-- $1 courier, $2 about, $3 region, $4 order, $5 when, $6 day, $7 facts. Those that are known stay.
INSERT INTO pay_facts (courier_id, about, region, order_id, at, day, facts) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)
ON CONFLICT DO NOTHING;

-- name: facts
-- $1 courier, $2 about.
SELECT order_id, at, day, facts FROM pay_facts WHERE courier_id = $1 AND about = $2;

-- name: facts_of_day
-- $1 courier, $2 region, $3 day.
SELECT about, order_id, at, facts FROM pay_facts WHERE courier_id = $1 AND region = $2 AND day = $3 ORDER BY at, about;

-- name: facts_between
-- $1 courier, $2 region, $3 first day, $4 last day, $5 most rows.
SELECT at, day, facts FROM pay_facts WHERE courier_id = $1 AND region = $2 AND day BETWEEN $3 AND $4
ORDER BY day, at, about LIMIT $5;

-- name: booked
-- Accruals of a thing by rule: $1 courier, $2 about.
SELECT rule, sum(amount)::bigint AS amount, count(*) AS n FROM pay_entries
WHERE courier_id = $1 AND about = $2 AND kind = 'accrual' GROUP BY rule;

-- name: book
-- $1 courier, $2 region, $3 kind, $4 about, $5 rule, $6 version, $7 revision, $8 amount, $9 currency, $10 when, $11 day,
-- $12 order, $13 facts, $14 what it reverses, $15 who, $16 role, $17 why.
INSERT INTO pay_entries (
    courier_id, region, kind, about, rule, version, revision, amount, currency, at, day, order_id, facts, reverses,
    actor, role, reason
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, $15, $16, $17)
RETURNING
    n, id, courier_id, region, kind, about, rule, version, amount, currency, at, day, written_at, order_id, facts,
    reverses, actor, role, reason;

-- name: entry
-- $1 id.
SELECT
    n, id, courier_id, region, kind, about, rule, version, amount, currency, at, day, written_at, order_id, facts,
    reverses, actor, role, reason
FROM pay_entries WHERE id = $1;

-- name: entries
-- $1 region, $2 courier (each or NULL), $3 earned from, $4 before, $5 beyond this number, $6 most rows, in the order in
-- which they were written.
SELECT
    n, id, courier_id, region, kind, about, rule, version, amount, currency, at, day, written_at, order_id, facts,
    reverses, actor, role, reason
FROM pay_entries
WHERE
    ($1::text IS NULL OR region = $1) AND ($2::uuid IS NULL OR courier_id = $2)
    AND at >= $3 AND at < $4 AND n > $5
ORDER BY n LIMIT $6;

-- name: sums
-- By currency and rule: $1 courier, $2 earned from, $3 before.
SELECT currency, rule, kind, sum(amount)::bigint AS amount, count(*) AS n FROM pay_entries
WHERE courier_id = $1 AND at >= $2 AND at < $3
GROUP BY currency, rule, kind ORDER BY currency, rule, kind;

-- name: earned_today
-- $1 courier, $2 midnight.
SELECT currency, sum(amount)::bigint AS amount FROM pay_entries WHERE courier_id = $1 AND at >= $2
GROUP BY currency ORDER BY currency LIMIT 1;

-- name: courier
-- $1 courier, also one that was removed.
SELECT c.id, c.name, c.mode, c.region, c.has_shifts, r.timezone
FROM couriers AS c INNER JOIN regions AS r ON c.region = r.id WHERE c.id = $1;

-- name: timezone
-- $1 region.
SELECT timezone FROM regions WHERE id = $1;

-- name: hours
-- $1 courier, $2 from, $3 before.
SELECT hour, tracked_s, busy_s FROM courier_hours WHERE courier_id = $1 AND hour >= $2 AND hour < $3 ORDER BY hour;

-- name: shifts
-- $1 courier, $2 from, $3 before: those that share time with it.
SELECT starts_at, ends_at FROM shifts WHERE courier_id = $1 AND starts_at < $3 AND ends_at > $2 ORDER BY starts_at;

-- name: breaks
-- $1 courier, $2 from, $3 before: those that share time with it.
SELECT began_at, coalesce(ended_at, $3) AS ended_at FROM breaks
WHERE courier_id = $1 AND began_at < $3 AND (ended_at IS NULL OR ended_at > $2) ORDER BY began_at;

-- name: regions
-- Those that have rules, with the day that is to be looked at next.
SELECT r.id, r.timezone, d.next_day, min(p.in_force_from) AS since
FROM regions AS r INNER JOIN pay_rules AS p ON r.id = p.region LEFT JOIN pay_days AS d ON r.id = d.region
GROUP BY r.id, r.timezone, d.next_day ORDER BY r.id;

-- name: end_day
-- $1 region, $2 day, $3 its beginning, $4 its end: whoever was at work then is to be looked at. Once, whoever asks.
WITH moved AS (
    INSERT INTO pay_days AS d (region, next_day) VALUES ($1, $2::date + 1)
    ON CONFLICT (region) DO UPDATE SET next_day = $2::date + 1 WHERE d.next_day = $2
    RETURNING d.region
)

INSERT INTO pay_due (courier_id, about, region, day)
SELECT w.courier_id, 'day:' || $1::text || ':' || $2::date, $1, $2
FROM moved AS m CROSS JOIN (
    SELECT h.courier_id FROM courier_hours AS h WHERE h.region = $1 AND h.hour >= $3 AND h.hour < $4
    UNION
    SELECT f.courier_id FROM pay_facts AS f WHERE f.region = $1 AND f.day = $2
) AS w
ORDER BY w.courier_id
ON CONFLICT (courier_id, about) DO UPDATE SET due_at = excluded.due_at;

-- name: couriers_between
-- Who did something in a region, by id: $1 region, $2 first day, $3 last day, $4 from this instant, $5 before that one,
-- $6 most rows.
SELECT c.id, c.name, c.mode, c.has_shifts
FROM couriers AS c
INNER JOIN (
    SELECT f.courier_id FROM pay_facts AS f WHERE f.region = $1 AND f.day BETWEEN $2 AND $3
    UNION
    SELECT h.courier_id FROM courier_hours AS h WHERE h.region = $1 AND h.hour >= $4 AND h.hour < $5
) AS w ON c.id = w.courier_id
ORDER BY c.id LIMIT $6;

-- name: booked_between
-- Accruals by courier: $1 region, $2 first day, $3 last day.
SELECT courier_id, sum(amount)::bigint AS amount FROM pay_entries
WHERE region = $1 AND day BETWEEN $2 AND $3 AND kind = 'accrual' GROUP BY courier_id;
