-- What other systems tell over a queue: each event has its effect once, and what cannot have it yet, or ever, is kept.

CREATE TABLE inbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    way text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    reason text,
    body bytea,
    CONSTRAINT one_effect_an_event UNIQUE (source, event_id),
    CONSTRAINT state_is_known CHECK (state IN ('done', 'waiting', 'dead')),
    CONSTRAINT body_is_kept_until_it_is_done CHECK ((state = 'done') = (body IS NULL)),
    CONSTRAINT waiting_is_due CHECK ((state = 'waiting') = (due_at IS NOT NULL))
);
COMMENT ON TABLE inbox IS 'Events from other systems, so that one that comes again changes nothing; those without effect with their body.';
COMMENT ON COLUMN inbox.subject IS 'Whose it is, as the other system says: an external id, or one of ours.';
CREATE INDEX inbox_due ON inbox (due_at) WHERE state = 'waiting';
CREATE INDEX inbox_dead ON inbox (n) WHERE state = 'dead';
CREATE INDEX inbox_by_subject ON inbox (subject);
CREATE INDEX inbox_by_time ON inbox (received_at);

CREATE TABLE inbox_heads (
    source text NOT NULL,
    subject text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (source, subject)
);
COMMENT ON TABLE inbox_heads IS 'The last number of each subject''s events that had its effect, where a system numbers them.';
CREATE INDEX inbox_heads_by_time ON inbox_heads (at);
CREATE INDEX inbox_heads_by_subject ON inbox_heads (subject);
