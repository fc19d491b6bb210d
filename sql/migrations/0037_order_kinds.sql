-- Orders of one stop, groups of one pickup, goods that may not be long on the way, and depots.
ALTER TABLE orders ADD COLUMN kind text NOT NULL DEFAULT 'delivery';
ALTER TABLE orders ADD COLUMN depot text;
ALTER TABLE orders ADD COLUMN group_id text;
ALTER TABLE orders ADD COLUMN max_on_board_s integer;
COMMENT ON COLUMN orders.kind IS 'delivery; or dropoff, pickup or service: of one stop, which stands at both ends where no depot is the other one.';
COMMENT ON COLUMN orders.depot IS 'Name of the depot that is the end which nobody gave; NULL: there is none.';
COMMENT ON COLUMN orders.group_id IS 'Orders of one pickup that are collected together have the same.';
COMMENT ON COLUMN orders.max_on_board_s IS 'At most so long from the pickup to the drop-off, seconds; NULL: no bound.';
-- No row has any of these yet: there is nothing to validate.
ALTER TABLE orders ADD CONSTRAINT order_kind_is_known CHECK (kind IN ('delivery', 'dropoff', 'pickup', 'service')) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT depot_is_an_end CHECK (depot IS NULL OR kind IN ('dropoff', 'pickup')) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT time_on_board_is_some CHECK (max_on_board_s > 0) NOT VALID;
-- What has no pickup is delivered without one. Older rows obeyed a stricter rule.
-- squawk-ignore ban-drop-constraint
ALTER TABLE orders DROP CONSTRAINT picked_up_has_time;
ALTER TABLE orders ADD CONSTRAINT picked_up_has_time CHECK (
    state NOT IN ('picked_up', 'delivered', 'returned') OR picked_up_at IS NOT NULL
    OR (state = 'delivered' AND depot IS NULL AND kind IN ('dropoff', 'service'))
) NOT VALID;

ALTER TABLE shifts ADD COLUMN start_lat double precision;
ALTER TABLE shifts ADD COLUMN start_lon double precision;
COMMENT ON COLUMN shifts.start_lat IS 'Where the courier begins, WGS 84 degrees; NULL: not known.';
ALTER TABLE shifts ADD CONSTRAINT shift_start_place_is_whole CHECK ((start_lat IS NULL) = (start_lon IS NULL)) NOT VALID;
