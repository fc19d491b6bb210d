-- Breaks that couriers have taken: so that a planned one is taken once, and arrivals know that somebody rests.

CREATE TABLE breaks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    courier_id uuid NOT NULL REFERENCES couriers (id) ON DELETE CASCADE,
    duration_s integer NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT break_lasts CHECK (duration_s > 0),
    CONSTRAINT break_ends_after_it_began CHECK (ended_at >= began_at)
);
COMMENT ON TABLE breaks IS 'Breaks as they were taken; those that are planned stand in shifts.breaks.';
COMMENT ON COLUMN breaks.duration_s IS 'How long it was meant to last, seconds.';
CREATE UNIQUE INDEX breaks_going_on ON breaks (courier_id) WHERE ended_at IS NULL;
CREATE INDEX breaks_by_courier ON breaks (courier_id, began_at);
CREATE INDEX breaks_by_end ON breaks (ended_at);
