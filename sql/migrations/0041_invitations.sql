-- A link that makes a courier's phone the courier's: once, and only for some days.

CREATE TABLE invitations (
    hash bytea PRIMARY KEY,
    courier_id uuid NOT NULL REFERENCES couriers (id) ON DELETE CASCADE,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    joined_at timestamptz,
    connected_at timestamptz,
    CONSTRAINT invitation_hash_is_sha256 CHECK (length(hash) = 32)
);
CREATE INDEX invitations_by_courier ON invitations (courier_id);
COMMENT ON COLUMN invitations.hash IS 'sha256 of the code in the link; the code is shown once and kept nowhere.';
COMMENT ON COLUMN invitations.joined_at IS 'When the courier page was opened with it; not again.';
COMMENT ON COLUMN invitations.connected_at IS 'When a phone app got its token with it; not again.';
