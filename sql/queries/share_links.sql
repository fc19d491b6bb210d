-- name: insert
-- To an order that was deleted meanwhile none.
INSERT INTO share_links (hash, order_id, expires_at, created_by)
SELECT $1, o.id, $3, $4 FROM orders AS o WHERE o.id = $2 FOR KEY SHARE;

-- name: get
SELECT
    l.order_id, l.expires_at, r.timezone, r.name AS region_title, r.settings,
    EXISTS (SELECT FROM order_ratings AS g WHERE g.order_id = l.order_id) AS is_rated
FROM share_links AS l
INNER JOIN orders AS o ON l.order_id = o.id
LEFT JOIN regions AS r ON o.region = r.id
WHERE l.hash = $1;
