-- The code before this asks one courier an order and does without the index; one_open_offer_a_courier serves its look-ups.
DROP INDEX CONCURRENTLY IF EXISTS one_open_offer_an_order;
