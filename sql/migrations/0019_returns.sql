-- Goods that could not be delivered are brought back, on the route of whoever has them; and an order may be tried again.
-- Older rows obeyed a stricter rule: there is nothing to validate.
-- squawk-ignore ban-drop-constraint
ALTER TABLE orders DROP CONSTRAINT order_state_is_known;
ALTER TABLE orders ADD CONSTRAINT order_state_is_known CHECK (
    state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning', 'delivered', 'cancelled', 'failed', 'returned')
) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT returning_order_is_on_board CHECK (
    state <> 'returning' OR (courier_id IS NOT NULL AND picked_up_at IS NOT NULL)
) NOT VALID;
ALTER TABLE orders ADD COLUMN attempt integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN orders.attempt IS 'Counts how often it has been tried, from one; raised by a retry.';

-- The same indexes, with the goods that come back: wider, so that they serve the release before as well.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX orders_open;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_open ON orders (region, placed_at)
WHERE state IN ('placed', 'assigned', 'accepted', 'picked_up', 'returning');
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX orders_with_courier;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_with_courier ON orders (region) WHERE state IN ('assigned', 'accepted', 'picked_up', 'returning');
