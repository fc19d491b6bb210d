-- What proves a delivery: pictures, and codes that recipients name at the door; and a secret that signs addresses.

ALTER TABLE installation ADD COLUMN secret bytea;
UPDATE installation SET
    secret = sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
COMMENT ON COLUMN installation.secret IS 'Signs short-lived addresses; every other key of the kind is derived from it.';

CREATE TABLE order_pictures (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    courier_id uuid,
    kind text NOT NULL,
    content bytea,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT photo_or_signature CHECK (kind IN ('photo', 'signature'))
);
COMMENT ON COLUMN order_pictures.courier_id IS 'Who took it; NULL: staff.';
COMMENT ON COLUMN order_pictures.content IS 'JPEG or PNG; NULL: a file under its id in the installation''s picture store.';
CREATE INDEX order_pictures_of_order ON order_pictures (order_id);
CREATE INDEX order_pictures_of_courier ON order_pictures (courier_id);
CREATE INDEX order_pictures_to_move ON order_pictures (stored_at) WHERE content IS NOT NULL;

CREATE TABLE pictures_gone (
    id uuid PRIMARY KEY,
    gone_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pictures_gone IS 'Pictures whose rows were deleted: their files go next.';

CREATE FUNCTION picture_is_gone() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO pictures_gone (id) VALUES (old.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER file_goes_too AFTER DELETE ON order_pictures FOR EACH ROW
WHEN (old.content IS NULL) EXECUTE FUNCTION picture_is_gone();

CREATE TABLE order_codes (
    order_id uuid PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    code text NOT NULL,
    n_wrong smallint NOT NULL DEFAULT 0,
    CONSTRAINT code_can_be_said CHECK (code ~ '^[0-9A-Z]{3,12}$')
);
COMMENT ON COLUMN order_codes.code IS 'What the recipient names at the door.';
COMMENT ON COLUMN order_codes.n_wrong IS 'How often a courier named another one.';
