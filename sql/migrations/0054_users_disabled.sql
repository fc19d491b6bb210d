-- Who is away for a while does not come in meanwhile, and is the same person afterwards.

ALTER TABLE users ADD COLUMN disabled_at timestamptz;
COMMENT ON COLUMN users.disabled_at IS 'Since when the person may not come in; NULL: may.';
