-- What places make before it is ordered: a go that is being made, or was not wanted; and until when what it made is good.

CREATE TABLE place_ahead (
    place_id uuid NOT NULL REFERENCES places (id),
    item text NOT NULL,
    state text NOT NULL,
    amount integer NOT NULL,
    started_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    good_until timestamptz NOT NULL,
    PRIMARY KEY (place_id, item, state),
    CONSTRAINT ahead_state_is_known CHECK (state IN ('started', 'skipped')),
    CONSTRAINT ahead_is_of_something CHECK (amount BETWEEN 1 AND 10000)
);
COMMENT ON TABLE place_ahead IS 'What is being made ahead; what is ready is goods of the place.';
COMMENT ON COLUMN place_ahead.state IS 'Of what was skipped so much is not asked for again until it would be past its shelf life.';
COMMENT ON COLUMN place_ahead.until_at IS 'It is ready then, as its recipe says.';

ALTER TABLE stock_batches ADD COLUMN good_until timestamptz;
COMMENT ON COLUMN stock_batches.good_until IS 'Of what the place has made itself: past that it is thrown away; NULL: it was brought.';
