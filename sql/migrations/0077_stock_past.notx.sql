-- Goods that places have made ahead are looked through for what is past its time, every minute.
CREATE INDEX CONCURRENTLY IF NOT EXISTS stock_batches_past ON stock_batches (good_until)
WHERE good_until IS NOT NULL AND quantity > 0;
