-- Nobody is asked the same twice at once; several couriers may be, and whoever accepts first holds the order's row.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_open_offer_a_courier ON offers (order_id, courier_id) WHERE state = 'open';
