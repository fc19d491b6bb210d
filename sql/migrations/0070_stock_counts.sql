-- Counts of goods: told without knowing what is expected; what differs is booked when somebody has said so.

CREATE TABLE stock_counts (
    id uuid PRIMARY KEY,
    place_id uuid NOT NULL REFERENCES places (id),
    n bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    lines jsonb NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    state text NOT NULL DEFAULT 'open',
    decided_at timestamptz,
    decided_by text,
    reason text,
    CONSTRAINT count_state_is_known CHECK (state IN ('open', 'approved', 'rejected')),
    CONSTRAINT decided_count_says_by_whom CHECK ((state = 'open') = (decided_at IS NULL) AND (state = 'open') = (decided_by IS NULL))
);
CREATE INDEX stock_counts_by_place ON stock_counts (place_id, n);
CREATE INDEX stock_counts_by_time ON stock_counts (at);
COMMENT ON TABLE stock_counts IS 'What was counted at places, and what became of it.';
COMMENT ON COLUMN stock_counts.id IS 'As whoever counted named it: it is told once.';
COMMENT ON COLUMN stock_counts.lines IS 'Goods, lot, date, how many were counted and how many were expected at that time.';
