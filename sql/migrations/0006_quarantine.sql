-- What phones sent that cannot be used, kept for a week so that somebody can see why a courier is not on the map.

CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    courier_id uuid,
    received_at timestamptz NOT NULL,
    reason text NOT NULL,
    source text NOT NULL,
    payload bytea NOT NULL,
    entry text NOT NULL,
    place int NOT NULL,
    CONSTRAINT quarantine_key UNIQUE (entry, place)
);
CREATE INDEX quarantine_by_time ON quarantine (received_at);
CREATE INDEX quarantine_by_courier ON quarantine (courier_id, id);
COMMENT ON COLUMN quarantine.courier_id IS 'Whose token it came with; null where a service named a courier we do not know.';
COMMENT ON COLUMN quarantine.payload IS 'What was sent, cut to 8 KiB.';
COMMENT ON COLUMN quarantine.entry IS
'Region and id of the log entry; with place it makes storing the same entry again harmless.';
