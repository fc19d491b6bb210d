-- Where a courier works: inside some of the region's fences, and not farther than so much from home.
ALTER TABLE couriers
    ADD COLUMN areas uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN home_lat double precision,
    ADD COLUMN home_lon double precision,
    ADD COLUMN range_m integer;
COMMENT ON COLUMN couriers.areas IS 'Fences the courier serves: both ends of an order lie in one of them; none: everywhere.';
COMMENT ON COLUMN couriers.home_lat IS 'WGS 84 degrees, as home_lon; NULL: the range counts from where the courier is.';
COMMENT ON COLUMN couriers.range_m IS 'Metres. Nothing farther away; NULL: no limit.';
