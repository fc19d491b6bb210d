-- Region and partner of what an address names: whether the caller may know that it is there (app/web/reach.py).

-- name: order_id
SELECT region, partner FROM orders WHERE id = $1;

-- name: courier_id
SELECT region, partner FROM couriers WHERE id = $1;

-- name: offer_id
SELECT o.region, o.partner FROM offers AS f INNER JOIN orders AS o ON f.order_id = o.id WHERE f.id = $1;

-- name: alert_id
-- One about neither an order nor a courier is the region's.
SELECT a.region, coalesce(o.partner, c.partner) AS partner
FROM alerts AS a
LEFT JOIN orders AS o ON a.order_id = o.id
LEFT JOIN couriers AS c ON a.courier_id = c.id
WHERE a.id = $1;

-- name: fence_id
SELECT region, NULL::text AS partner FROM geofences WHERE id = $1;

-- name: plan_id
SELECT region, NULL::text AS partner FROM day_plans WHERE id = $1;

-- name: place_id
SELECT region, partner FROM places WHERE id = $1;

-- name: item_id
SELECT region, partner FROM stock_items WHERE id = $1;

-- name: beyond
-- $1 orders, $2 couriers, $3 regions or none: all, $4 partner or NULL: everybody's. Whether one is beyond these.
SELECT EXISTS (
    SELECT FROM orders AS o WHERE o.id = ANY($1::uuid[])
    AND (o.region <> ALL($3::text[]) AND cardinality($3::text[]) > 0 OR ($4::text IS NOT NULL AND o.partner IS DISTINCT FROM $4))
    UNION ALL
    SELECT FROM couriers AS c WHERE c.id = ANY($2::uuid[])
    AND (c.region <> ALL($3::text[]) AND cardinality($3::text[]) > 0 OR ($4::text IS NOT NULL AND c.partner IS DISTINCT FROM $4))
);

-- name: orders_of_partner
-- $1 orders, $2 partner: those that are the partner's.
SELECT id FROM orders WHERE id = ANY($1::uuid[]) AND partner = $2;

-- name: couriers_of_partner
-- $1 partner.
SELECT id FROM couriers WHERE partner = $1 AND deleted_at IS NULL;
