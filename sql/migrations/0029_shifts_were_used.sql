-- Whose last shift is removed does not work around the clock: it is remembered who has worked by shifts.
ALTER TABLE couriers ADD COLUMN has_shifts boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN couriers.has_shifts IS 'A shift was made for the courier once; without one now, the courier is off.';
UPDATE couriers SET has_shifts = true WHERE id IN (SELECT s.courier_id FROM shifts AS s);
