-- Orders and couriers of a partner: the partner's people see and handle these, and nobody else's.
ALTER TABLE couriers ADD COLUMN partner text;
ALTER TABLE orders ADD COLUMN partner text;
COMMENT ON COLUMN couriers.partner IS 'Whose courier; NULL: our own.';
COMMENT ON COLUMN orders.partner IS 'Whose order; NULL: our own.';
