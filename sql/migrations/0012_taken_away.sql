-- The planner asks in every cycle from whom an open order was taken away; few events tell of that, of a year of them.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX order_events_taken_away ON order_events (order_id) WHERE action IN ('unassign', 'release');
