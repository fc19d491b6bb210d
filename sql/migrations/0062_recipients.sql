-- Whom an order's contact names: so that what is held of a recipient can be found by what the person tells of themselves.

CREATE FUNCTION contact_is(contact jsonb, said text, digits text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    lower(trim(contact ->> 'name')) = said
    OR lower(trim(contact ->> 'email')) = said
    OR (digits <> '' AND regexp_replace(contact ->> 'phone', '\D', '', 'g') = digits),
    false
);
COMMENT ON FUNCTION contact_is IS 'Whether it has that name or e-mail address (lower case), or a phone number of these digits.';
