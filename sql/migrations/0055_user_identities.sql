-- Who signs in by an identity provider is known by the provider's name for them, which never changes.

CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_by_user ON user_identities (user_id);
COMMENT ON COLUMN user_identities.issuer IS 'Address of the provider.';
COMMENT ON COLUMN user_identities.subject IS 'The provider''s name for the person (the claim sub).';
