-- Reports ask what became of the offers of a region that were made in a span.
CREATE INDEX CONCURRENTLY IF NOT EXISTS offers_made ON offers (region, offered_at) INCLUDE (state, courier_id, order_id);
