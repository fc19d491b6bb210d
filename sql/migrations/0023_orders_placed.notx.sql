-- Reports ask for the orders of a region that were placed in a span.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_placed ON orders (region, placed_at) INCLUDE (courier_id);
