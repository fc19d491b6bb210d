-- The rows of an offer of several orders, also after it has been answered.
CREATE INDEX CONCURRENTLY IF NOT EXISTS offers_by_bundle ON offers (bundle_id) WHERE bundle_id IS NOT NULL;
