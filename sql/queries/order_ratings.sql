-- name: add
-- $1 order, $2 stars. No row: it was rated before.
INSERT INTO order_ratings (order_id, stars) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING order_id;
