-- An area is changed in place, by two people at once: the version tells them, and whoever watches it.
ALTER TABLE geofences ADD COLUMN version integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN geofences.version IS 'Grows with every change.';
