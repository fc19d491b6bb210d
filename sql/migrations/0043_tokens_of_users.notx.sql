-- The sessions of one person, to be listed and ended.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tokens_by_user ON tokens (user_id) WHERE user_id IS NOT NULL;
