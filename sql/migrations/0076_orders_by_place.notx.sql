-- What was ordered at a place at the same time of the weeks before says how much it makes ahead.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_place ON orders (place_id, placed_at) WHERE place_id IS NOT NULL;
