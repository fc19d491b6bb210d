-- What a place has to prepare is asked for at every word of the place.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_of_a_place ON orders (place_id, placed_at)
WHERE place_id IS NOT NULL AND state IN ('placed', 'assigned', 'accepted');
