-- What comes back may go to a place of the region's own; decided when it turns round, so that a later setting moves nothing.
ALTER TABLE orders ADD COLUMN return_lat double precision;
ALTER TABLE orders ADD COLUMN return_lon double precision;
ALTER TABLE orders ADD COLUMN return_address text;
COMMENT ON COLUMN orders.return_lat IS 'Where the goods come back to, WGS 84 degrees; NULL: to the pickup.';
-- No row has it yet: there is nothing to validate.
ALTER TABLE orders ADD CONSTRAINT return_place_is_whole CHECK ((return_lat IS NULL) = (return_lon IS NULL)) NOT VALID;
