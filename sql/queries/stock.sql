-- Goods of places (dispatch/stock).

-- name: add_item
-- $1 region, $2 partner or NULL, $3 code, $4 name, $5 GTIN or NULL, $6 unit, $7 whether it is stock again when it returns.
INSERT INTO stock_items (region, partner, item, name, gtin, unit, is_returnable) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, region, partner, item, name, gtin, unit, is_returnable, created_at, updated_at;

-- name: item
-- $1 id.
SELECT id, region, partner, item, name, gtin, unit, is_returnable, created_at, updated_at
FROM stock_items WHERE id = $1 AND deleted_at IS NULL;

-- name: hold_item
-- $1 id: nothing of it moves until the transaction ends.
SELECT id, region, partner, item, name, gtin, unit, is_returnable, created_at, updated_at
FROM stock_items WHERE id = $1 AND deleted_at IS NULL FOR UPDATE;

-- name: items
-- Oldest first. Each may be NULL: $1 region, $2 partner, $3 place whose goods they may be, $4 GTIN; after ($5 created at,
-- $6 id) or NULLs; $7 most rows.
SELECT i.id, i.region, i.partner, i.item, i.name, i.gtin, i.unit, i.is_returnable, i.created_at, i.updated_at
FROM stock_items AS i
WHERE
    i.deleted_at IS NULL
    AND ($1::text IS NULL OR i.region = $1)
    AND ($2::text IS NULL OR i.partner = $2)
    AND (
        $3::uuid IS NULL
        OR EXISTS (SELECT FROM places AS p WHERE p.id = $3 AND p.region = i.region AND p.partner IS NOT DISTINCT FROM i.partner)
    )
    AND ($4::text IS NULL OR i.gtin = $4)
    AND ($5::timestamptz IS NULL OR (i.created_at, i.id) > ($5, $6::uuid))
ORDER BY i.created_at, i.id
LIMIT $7;

-- name: change_item
-- $1 id, $2 name, $3 GTIN, $4 whether it is stock again when it returns.
UPDATE stock_items SET name = $2, gtin = $3, is_returnable = $4, updated_at = clock_timestamp()
WHERE id = $1 AND deleted_at IS NULL
RETURNING id, region, partner, item, name, gtin, unit, is_returnable, created_at, updated_at;

-- name: places_with
-- $1 item: where there is some of it.
SELECT DISTINCT place_id FROM stock_batches WHERE item_id = $1 AND quantity > 0 ORDER BY place_id LIMIT 20;

-- name: remove_item
UPDATE stock_items SET deleted_at = clock_timestamp() WHERE id = $1 AND deleted_at IS NULL;

-- name: find_item
-- Of a place's goods, which stays while the transaction lasts: $1 region, $2 partner, $3 code or NULL, $4 GTIN or NULL.
SELECT i.id, i.item, i.unit, i.is_returnable
FROM stock_items AS i
WHERE
    i.region = $1 AND i.partner IS NOT DISTINCT FROM $2 AND i.deleted_at IS NULL
    AND (i.item = $3 OR i.gtin = $4)
ORDER BY i.item
LIMIT 1
FOR KEY SHARE;

-- name: is_order_of
-- $1 order, $2 place.
SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND place_id = $2);

-- name: hold
-- What happens to goods at places happens one after the other until the transaction ends; whoever holds several asks
-- for all at once. $1 places, $2 items, of one length.
SELECT pg_advisory_xact_lock(k.key)
FROM (
    SELECT DISTINCT hashtextextended('stock ' || w.place_id || ' ' || w.item_id, 0) AS key
    FROM unnest($1::uuid[], $2::uuid[]) AS w (place_id, item_id)
    ORDER BY key
) AS k;

-- name: batches
-- Of goods that are held: $1 place, $2 item, $3 lot or NULL: any, $4 date or NULL: any.
SELECT id, lot, best_before, good_until, quantity, n FROM stock_batches
WHERE
    place_id = $1 AND item_id = $2
    AND ($3::text IS NULL OR lot = $3)
    AND ($4::date IS NULL OR best_before = $4)
ORDER BY n;

-- name: batch
-- The batch of goods that are held: $1 place, $2 item, $3 lot, $4 date or NULL, $5 good until or NULL. It is there from
-- then on.
INSERT INTO stock_batches AS b (place_id, item_id, lot, best_before, good_until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (place_id, item_id, lot, best_before) DO UPDATE SET moved_at = clock_timestamp()
RETURNING b.id, b.lot, b.best_before, b.good_until, b.quantity, b.n;

-- name: book
-- $1 batch, $2 id, $3 part, $4 kind, $5 what comes or goes, $6 when, $7 order or NULL, $8 why, $9 who, $10 role, $11 facts.
-- No row: there is not as much.
WITH moved AS (
    UPDATE stock_batches SET quantity = quantity + $5, moved_at = clock_timestamp() WHERE id = $1 AND quantity + $5 >= 0
    RETURNING id, place_id, item_id
)

INSERT INTO stock_movements (id, part, batch_id, place_id, item_id, kind, quantity, at, order_id, reason, actor, role, facts)
SELECT $2, $3, m.id, m.place_id, m.item_id, $4, $5, $6, $7, $8, $9, $10, $11::jsonb FROM moved AS m
RETURNING n;

-- name: booked
-- The parts of a movement: $1 id.
SELECT m.n, m.part, m.place_id, m.item_id, m.kind, m.quantity, m.at, m.order_id, b.lot, b.best_before
FROM stock_movements AS m INNER JOIN stock_batches AS b ON m.batch_id = b.id
WHERE m.id = $1 ORDER BY m.part;

-- name: movements
-- $1 place, $2 beyond this number or NULL, $3 most rows, in the order in which they were written; $4 item or NULL: of all.
SELECT
    m.n, m.id, m.item_id, i.item, m.kind, m.quantity, m.at, m.written_at, m.order_id, m.reason, m.actor, b.lot,
    b.best_before
FROM stock_movements AS m
INNER JOIN stock_batches AS b ON m.batch_id = b.id
INNER JOIN stock_items AS i ON m.item_id = i.id
WHERE m.place_id = $1 AND ($2::bigint IS NULL OR m.n > $2) AND ($4::uuid IS NULL OR m.item_id = $4)
ORDER BY m.n
LIMIT $3;

-- name: newest_movements
-- $1 place, $2 before this number or NULL, $3 most rows, the last first; $4 item or NULL: of all.
SELECT
    m.n, m.id, m.item_id, i.item, m.kind, m.quantity, m.at, m.written_at, m.order_id, m.reason, m.actor, b.lot,
    b.best_before
FROM stock_movements AS m
INNER JOIN stock_batches AS b ON m.batch_id = b.id
INNER JOIN stock_items AS i ON m.item_id = i.id
WHERE m.place_id = $1 AND ($2::bigint IS NULL OR m.n < $2) AND ($4::uuid IS NULL OR m.item_id = $4)
ORDER BY m.n DESC
LIMIT $3;

-- name: clock_of
-- $1 place: that of its region.
SELECT r.timezone FROM places AS p INNER JOIN regions AS r ON p.region = r.id WHERE p.id = $1 AND p.deleted_at IS NULL;

-- name: at_place
-- $1 place, after ($2 code, $3 id) or NULLs, $4 most goods, $5 their codes or NULL: all; by code, with their batches that
-- are not empty.
SELECT
    g.id AS item_id, g.item, g.name, g.gtin, g.unit, b.id AS batch_id, b.lot, b.best_before, b.quantity, b.n,
    coalesce((
        SELECT sum(r.quantity) FROM stock_reservations AS r WHERE r.place_id = $1 AND r.item_id = g.id
    ), 0)::bigint AS reserved
FROM (
    SELECT i.id, i.item, i.name, i.gtin, i.unit
    FROM stock_items AS i
    WHERE
        EXISTS (SELECT FROM stock_batches AS s WHERE s.place_id = $1 AND s.item_id = i.id)
        AND ($2::text IS NULL OR (i.item, i.id) > ($2, $3::uuid)) AND i.deleted_at IS NULL
        AND ($5::text[] IS NULL OR i.item = ANY($5))
    ORDER BY i.item, i.id
    LIMIT $4
) AS g
LEFT JOIN stock_batches AS b ON g.id = b.item_id AND b.place_id = $1 AND b.quantity > 0
ORDER BY g.item, g.id, b.n;

-- name: kept_at
-- $1 region, $2 partner, $3 place, $4 codes: those goods of which the place has, or had, some; they stay for now. With
-- whether any of them were brought: what a place makes itself it can make again.
SELECT
    i.id, i.item,
    EXISTS (
        SELECT FROM stock_batches AS b WHERE b.place_id = $3 AND b.item_id = i.id AND b.good_until IS NULL
    ) AS is_brought
FROM stock_items AS i
WHERE
    i.region = $1 AND i.partner IS NOT DISTINCT FROM $2 AND i.item = ANY($4::text[]) AND i.deleted_at IS NULL
    AND EXISTS (SELECT FROM stock_batches AS b WHERE b.place_id = $3 AND b.item_id = i.id)
ORDER BY i.item
FOR KEY SHARE OF i;

-- name: left_of
-- Of goods that are held: $1 place, $2 items, $3 day: what may be given to somebody, and no order has taken.
SELECT
    w.item_id,
    coalesce((
        SELECT sum(b.quantity) FROM stock_batches AS b
        WHERE b.place_id = $1 AND b.item_id = w.item_id AND (b.best_before IS NULL OR b.best_before >= $3)
    ), 0)::bigint
    - coalesce((
        SELECT sum(r.quantity) FROM stock_reservations AS r WHERE r.place_id = $1 AND r.item_id = w.item_id
    ), 0)::bigint AS available
FROM unnest($2::uuid[]) AS w (item_id);

-- name: past
-- $1 now, $2 at most: what is past its time, the first of it first; without what orders have taken.
SELECT b.place_id, b.item_id, i.item, b.lot, b.best_before, b.quantity, p.region, p.partner
FROM stock_batches AS b
INNER JOIN stock_items AS i ON b.item_id = i.id
INNER JOIN places AS p ON b.place_id = p.id
WHERE
    b.good_until <= $1 AND b.quantity > 0 AND i.deleted_at IS NULL
    AND EXISTS (
        SELECT FROM stock_batches AS s
        WHERE s.place_id = b.place_id AND s.item_id = b.item_id
        HAVING sum(s.quantity) > coalesce((
            SELECT sum(r.quantity) FROM stock_reservations AS r WHERE r.place_id = b.place_id AND r.item_id = b.item_id
        ), 0)
    )
ORDER BY b.good_until
LIMIT $2;

-- name: reserve
-- $1 order, $2 place, $3 items, $4 how much of each.
INSERT INTO stock_reservations (order_id, place_id, item_id, quantity)
SELECT $1, $2, w.item_id, w.quantity FROM unnest($3::uuid[], $4::bigint[]) AS w (item_id, quantity)
ON CONFLICT (order_id, item_id) DO UPDATE SET quantity = excluded.quantity;

-- name: reserved
-- $1 order.
SELECT r.item_id, i.item, r.place_id, r.quantity
FROM stock_reservations AS r INNER JOIN stock_items AS i ON r.item_id = i.id
WHERE r.order_id = $1 ORDER BY i.item;

-- name: take_reserved
-- Some of it went: $1 order, $2 item, $3 how much.
WITH ended AS (
    DELETE FROM stock_reservations WHERE order_id = $1 AND item_id = $2 AND quantity <= $3
)

UPDATE stock_reservations SET quantity = quantity - $3 WHERE order_id = $1 AND item_id = $2 AND quantity > $3;

-- name: release
-- $1 order.
DELETE FROM stock_reservations WHERE order_id = $1;

-- name: lines
-- What a place makes for an order.
SELECT lines FROM place_tasks WHERE order_id = $1;

-- name: lines_of
-- $1 orders: what places make for them.
SELECT order_id, lines FROM place_tasks WHERE order_id = ANY($1::uuid[]) AND lines <> '[]';

-- name: gone_with
-- What went with an order and is stock again when it comes back, by batch.
SELECT m.batch_id, m.place_id, m.item_id, -sum(m.quantity)::bigint AS quantity
FROM stock_movements AS m INNER JOIN stock_items AS i ON m.item_id = i.id
WHERE m.order_id = $1 AND m.kind IN ('ship', 'return') AND i.is_returnable
GROUP BY m.batch_id, m.place_id, m.item_id
HAVING sum(m.quantity) < 0
ORDER BY m.batch_id;

-- name: expected
-- Of goods that are held, at an instant: $1 place, $2 item, $3 lot or NULL: any, $4 date or NULL: any, $5 instant.
SELECT coalesce(sum(b.quantity - coalesce((
    SELECT sum(m.quantity) FROM stock_movements AS m WHERE m.batch_id = b.id AND m.at > $5 AND m.kind <> 'carried'
), 0)), 0)::bigint
FROM stock_batches AS b
WHERE b.place_id = $1 AND b.item_id = $2 AND ($3::text IS NULL OR b.lot = $3) AND ($4::date IS NULL OR b.best_before = $4);

-- name: add_count
-- $1 id, $2 place, $3 when, $4 lines, $5 who, $6 role. No row: it was told before.
INSERT INTO stock_counts (id, place_id, at, lines, actor, role) VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (id) DO NOTHING
RETURNING n, id, place_id, at, lines, actor, state, decided_at, decided_by, reason;

-- name: count
-- $1 id, $2 place; held until the transaction ends.
SELECT n, id, place_id, at, lines, actor, state, decided_at, decided_by, reason
FROM stock_counts WHERE id = $1 AND place_id = $2 FOR UPDATE;

-- name: counts
-- Newest first: $1 place, $2 before this number or NULL, $3 most rows, $4 state or NULL.
SELECT n, id, place_id, at, lines, actor, state, decided_at, decided_by, reason
FROM stock_counts
WHERE place_id = $1 AND ($2::bigint IS NULL OR n < $2) AND ($4::text IS NULL OR state = $4)
ORDER BY n DESC LIMIT $3;

-- name: decide_count
-- $1 id, $2 state, $3 when, $4 who, $5 why.
UPDATE stock_counts SET state = $2, decided_at = $3, decided_by = $4, reason = $5 WHERE id = $1 AND state = 'open'
RETURNING n, id, place_id, at, lines, actor, state, decided_at, decided_by, reason;

-- name: take_told
-- Places whose goods changed, $1 at most, until the transaction ends; what another has taken is left to it.
DELETE FROM stock_outbox WHERE n = ANY(ARRAY(
    SELECT o.n FROM stock_outbox AS o ORDER BY o.n LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING place_id;
