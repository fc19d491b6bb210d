-- What places make before it is ordered (dispatch/places/larder.py).

-- name: put
-- $1 place, $2 item, $3 state, $4 amount, $5 begun, $6 ready then, $7 good until; what is skipped comes to what was
-- skipped before. No row: one is being made.
INSERT INTO place_ahead AS a (place_id, item, state, amount, started_at, until_at, good_until)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (place_id, item, state) DO UPDATE SET
    amount = least(excluded.amount + CASE WHEN a.good_until > excluded.started_at THEN a.amount ELSE 0 END, 10000),
    started_at = excluded.started_at, until_at = excluded.until_at,
    good_until = excluded.good_until
WHERE a.state = 'skipped'
RETURNING a.item, a.state, a.amount, a.started_at, a.until_at, a.good_until;

-- name: started
-- $1 place, $2 item.
SELECT item, state, amount, started_at, until_at, good_until FROM place_ahead
WHERE place_id = $1 AND item = $2 AND state = 'started';

-- name: end
-- $1 place, $2 item: nothing of it is being made any more.
DELETE FROM place_ahead WHERE place_id = $1 AND item = $2 AND state = 'started';

-- name: of_place
-- $1 place, $2 items, $3 now: what is being made, and what was skipped and would still be good.
SELECT item, state, amount, started_at, until_at, good_until FROM place_ahead
WHERE place_id = $1 AND item = ANY($2::text[]) AND (state = 'started' OR good_until > $3)
ORDER BY item, state;

-- name: left
-- $1 place, $2 items, $3 now: batches of these goods that are still good, with how much of the goods orders have taken.
SELECT
    i.item, b.quantity, b.good_until, b.best_before,
    coalesce((
        SELECT sum(r.quantity) FROM stock_reservations AS r WHERE r.place_id = p.id AND r.item_id = i.id
    ), 0)::bigint AS reserved
FROM places AS p
INNER JOIN stock_items AS i ON p.region = i.region AND p.partner IS NOT DISTINCT FROM i.partner
INNER JOIN stock_batches AS b ON i.id = b.item_id AND p.id = b.place_id
WHERE
    p.id = $1 AND i.item = ANY($2::text[]) AND i.deleted_at IS NULL
    AND b.quantity > 0 AND (b.good_until IS NULL OR b.good_until > $3)
ORDER BY i.item, b.n;

-- name: first_order
-- $1 place: when the first of its orders that are still known was placed.
SELECT min(placed_at) FROM orders WHERE place_id = $1;

-- name: ordered
-- $1 place, $2 items, $3 from, $4 until, of each week, the last one first: what was ordered in that time and for it.
SELECT
    l.item, w.n AS weeks_ago,
    round(extract(EPOCH FROM greatest(o.placed_at, o.pickup_opens_at, t.asked_ready_at) - w.from_at))::integer AS after_s,
    sum(l.quantity)::bigint AS quantity
FROM unnest($3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS w (from_at, to_at, n)
INNER JOIN orders AS o ON o.place_id = $1 AND o.placed_at >= w.from_at AND o.placed_at < w.to_at
INNER JOIN place_tasks AS t ON o.id = t.order_id
CROSS JOIN LATERAL jsonb_to_recordset(t.lines) AS l (item text, quantity bigint)
WHERE
    l.item = ANY($2::text[]) AND o.state <> 'cancelled'
    AND greatest(o.placed_at, o.pickup_opens_at, t.asked_ready_at) < w.to_at
GROUP BY 1, 2, 3;

-- name: keep
-- Stock is kept of what a place has made ahead: $1 region, $2 partner, $3 item. It does not come back.
INSERT INTO stock_items (region, partner, item, is_returnable) VALUES ($1, $2, $3, false)
ON CONFLICT (region, partner, item) WHERE deleted_at IS NULL DO NOTHING;

-- name: taken
-- $1 orders, $2 items: what they have taken.
SELECT r.order_id, i.id AS item_id, i.item, r.quantity
FROM stock_reservations AS r INNER JOIN stock_items AS i ON r.item_id = i.id
WHERE r.order_id = ANY($1::uuid[]) AND i.item = ANY($2::text[]);
