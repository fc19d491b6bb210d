-- Whether somebody named an order's depot, or the planner may choose another one of the region's.

ALTER TABLE orders ADD COLUMN depot_named boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN orders.depot_named IS 'False: where the region chooses the cheapest, the planner may take another depot.';
