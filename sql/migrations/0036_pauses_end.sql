-- A pause for offers that ran out ends when its courier goes on duty again, or when support says so.
ALTER TABLE couriers ADD COLUMN lapses_from timestamptz;
COMMENT ON COLUMN couriers.lapses_from IS 'Offers that ran out by then do not count towards a pause any more; NULL: all do.';
