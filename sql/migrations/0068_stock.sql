-- Goods of places: what there is, by batch, and every movement of it.

CREATE TABLE stock_items (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    region text NOT NULL REFERENCES regions (id),
    partner text,
    item text NOT NULL,
    name text NOT NULL DEFAULT '',
    gtin text,
    unit text NOT NULL DEFAULT 'piece',
    is_returnable boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT item_has_a_code CHECK (length(trim(item)) BETWEEN 1 AND 200),
    CONSTRAINT unit_is_known CHECK (unit IN ('piece', 'g', 'ml')),
    CONSTRAINT gtin_has_14_digits CHECK (gtin ~ '^[0-9]{14}$')
);
CREATE UNIQUE INDEX stock_items_by_code ON stock_items (region, partner, item) NULLS NOT DISTINCT WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX stock_items_by_gtin ON stock_items (region, partner, gtin) NULLS NOT DISTINCT
WHERE deleted_at IS NULL AND gtin IS NOT NULL;
COMMENT ON TABLE stock_items IS 'Goods whose stock is kept, as lines of orders name them.';
COMMENT ON COLUMN stock_items.partner IS 'Whose they are, as places are; NULL: everybody''s.';
COMMENT ON COLUMN stock_items.unit IS 'What quantities count.';
COMMENT ON COLUMN stock_items.is_returnable IS 'What comes back from a delivery is stock again.';

CREATE TABLE stock_batches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    place_id uuid NOT NULL REFERENCES places (id),
    item_id uuid NOT NULL REFERENCES stock_items (id),
    lot text NOT NULL DEFAULT '',
    best_before date,
    quantity bigint NOT NULL DEFAULT 0,
    n bigint GENERATED ALWAYS AS IDENTITY,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT batch_is_never_below_zero CHECK (quantity >= 0),
    CONSTRAINT one_batch_of_a_lot UNIQUE NULLS NOT DISTINCT (place_id, item_id, lot, best_before)
);
CREATE INDEX stock_batches_by_item ON stock_batches (item_id);
CREATE INDEX stock_batches_empty ON stock_batches (moved_at) WHERE quantity = 0;
COMMENT ON TABLE stock_batches IS 'What there is: always the sum of its movements.';
COMMENT ON COLUMN stock_batches.lot IS 'Empty: of no lot.';
COMMENT ON COLUMN stock_batches.best_before IS 'The last day on which it may go out; NULL: there is none.';
COMMENT ON COLUMN stock_batches.n IS 'Of batches that are alike the first one goes first.';

CREATE TABLE stock_movements (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL,
    part integer NOT NULL DEFAULT 0,
    batch_id uuid NOT NULL REFERENCES stock_batches (id),
    place_id uuid NOT NULL,
    item_id uuid NOT NULL,
    kind text NOT NULL,
    quantity bigint NOT NULL,
    at timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    order_id uuid,
    reason text,
    actor text NOT NULL,
    role text NOT NULL,
    facts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT movement_is_booked_once UNIQUE (id, part),
    CONSTRAINT movement_kind_is_known CHECK (
        kind IN ('receive', 'ship', 'count', 'adjust', 'move', 'return', 'carried')
    ),
    CONSTRAINT movement_moves_something CHECK (quantity <> 0)
);
CREATE INDEX stock_movements_by_place ON stock_movements (place_id, n);
CREATE INDEX stock_movements_by_batch ON stock_movements (batch_id);
CREATE INDEX stock_movements_by_order ON stock_movements (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX stock_movements_by_time ON stock_movements (at);
COMMENT ON TABLE stock_movements IS 'Added and never changed; a mistake is put right by another one. Old ones are carried by one that is their sum.';
COMMENT ON COLUMN stock_movements.id IS 'As whoever asked for it named it: it is done once.';
COMMENT ON COLUMN stock_movements.part IS 'One that is of several batches has as many parts.';
COMMENT ON COLUMN stock_movements.quantity IS 'What came, or below zero what went.';
COMMENT ON COLUMN stock_movements.at IS 'When it happened, as whoever says it believes, within bounds.';

CREATE FUNCTION stock_movement_stays() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'a movement of goods is never changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER stays BEFORE UPDATE ON stock_movements FOR EACH ROW EXECUTE FUNCTION stock_movement_stays();
