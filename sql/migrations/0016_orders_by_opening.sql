-- The planner reads what opens soon, not all that is placed for the days to come. Both indexes hold open orders only.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_by_opening ON orders (region, greatest(coalesce(ready_at, placed_at), pickup_opens_at))
WHERE state = 'placed';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_with_courier ON orders (region) WHERE state IN ('assigned', 'accepted', 'picked_up');
