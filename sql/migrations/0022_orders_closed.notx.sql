-- Reports ask for the orders of a region that were done in a span, and for nothing else of them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_closed ON orders (region, closed_at)
INCLUDE (delivered_at, placed_at, dropoff_due_at, dropoff_closes_at, accepted_at, courier_id)
WHERE closed_at IS NOT NULL;
