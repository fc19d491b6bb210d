-- What was told of an order's arrival, each time it was another: who promised somebody a time must be able to say why it
-- is not kept.

CREATE TABLE told_arrivals (
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    p50 timestamptz NOT NULL,
    p90 timestamptz NOT NULL,
    because text,
    PRIMARY KEY (order_id, at)
);
COMMENT ON TABLE told_arrivals IS 'When an order was said to arrive: the first word, and each that a person would notice.';
COMMENT ON COLUMN told_arrivals.because IS 'Why it moved, where that is known; a code of dispatch.arrivals.eta.Note.';
