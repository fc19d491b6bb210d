-- Orders that a courier collects together are one offer, taken or refused as a whole; and several couriers may be asked.
ALTER TABLE offers ADD COLUMN bundle_id uuid;
COMMENT ON COLUMN offers.bundle_id IS
'The offer that orders shown together belong to: the id of one of its rows. NULL: the row is an offer of its own.';
