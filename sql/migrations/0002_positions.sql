-- Where couriers were: one row per fix, in scaled integers, which compress to half of what floats take.

CREATE TABLE positions (
    fixed_at timestamptz NOT NULL,
    courier_id uuid NOT NULL,
    lat_e7 int NOT NULL,
    lon_e7 int NOT NULL,
    cell int NOT NULL,
    delay_s int NOT NULL,
    speed_cmps smallint,
    course_ddeg smallint,
    accuracy_dm smallint,
    altitude_m smallint,
    battery_pct smallint,
    mode smallint NOT NULL DEFAULT 0,
    marks smallint NOT NULL DEFAULT 0,
    CONSTRAINT positions_key PRIMARY KEY (courier_id, fixed_at)
);
COMMENT ON TABLE positions IS 'One row per fix; (courier, fix time) makes a repeated upload harmless.';
COMMENT ON COLUMN positions.fixed_at IS 'The device''s clock.';
COMMENT ON COLUMN positions.lat_e7 IS 'WGS 84 degrees north × 10^7: 11 mm.';
COMMENT ON COLUMN positions.lon_e7 IS 'WGS 84 degrees east × 10^7.';
COMMENT ON COLUMN positions.cell IS 'H3 cell of resolution 8 without the bits that are the same for all: tracking.batch.';
COMMENT ON COLUMN positions.delay_s IS 'Received this many whole seconds after the fix; our clock minus the device''s.';
COMMENT ON COLUMN positions.speed_cmps IS 'cm/s; 32767 is that or more.';
COMMENT ON COLUMN positions.course_ddeg IS 'Tenths of a degree clockwise from true north, 0 to 3599.';
COMMENT ON COLUMN positions.accuracy_dm IS 'Radius in decimetres; 32767 is that or more.';
COMMENT ON COLUMN positions.mode IS
'How the courier travelled when the fix was stored: 1 car, 2 motorcycle, 3 bicycle, 4 foot, 0 unknown.';
COMMENT ON COLUMN positions.marks IS
'Bits that keep a fix out of live state, distances and analysis: 1 impossible jump, 2 poor accuracy.';
