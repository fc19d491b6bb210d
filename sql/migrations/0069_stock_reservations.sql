-- Goods that orders have taken for themselves until somebody collects them.

CREATE TABLE stock_reservations (
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    item_id uuid NOT NULL REFERENCES stock_items (id),
    place_id uuid NOT NULL REFERENCES places (id),
    quantity bigint NOT NULL,
    PRIMARY KEY (order_id, item_id),
    CONSTRAINT reservation_is_of_something CHECK (quantity > 0)
);
CREATE INDEX stock_reservations_by_goods ON stock_reservations (place_id, item_id);
COMMENT ON TABLE stock_reservations IS 'What open orders have taken of goods at a place and nobody has collected yet.';

CREATE FUNCTION order_leaves_stock() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM stock_reservations WHERE order_id = new.order_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER leaves_stock AFTER INSERT ON order_events FOR EACH ROW
WHEN (new.to_state IN ('delivered', 'cancelled', 'failed', 'returned')) EXECUTE FUNCTION order_leaves_stock();
