-- The same unusable thing sent again is kept once; and what was kept before secrets were taken out at the door loses them.

ALTER TABLE quarantine ADD COLUMN digest bytea;
COMMENT ON COLUMN quarantine.digest IS
'Of courier, reason and the whole payload; null in rows of releases that did not tell.';
COMMENT ON COLUMN quarantine.payload IS 'What was sent, without secrets, cut to 8 KiB.';
-- A table of one week of oddities, a few thousand rows.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX quarantine_once ON quarantine (digest);

-- As `tracking.intake.redaction` does; what holds a NUL is no text that could be searched.
UPDATE quarantine SET payload = CASE
    WHEN position('\x00'::bytea IN payload) > 0 THEN '\x'::bytea
    ELSE decode(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    encode(payload, 'escape'),
                    'pr(_|%5f)[a-z](_|%5f)([a-z0-9_-]|%[0-9a-f]{2})+', '[removed]', 'gi'
                ),
                '\m(bearer|basic)(\s+|%20|\+)[a-z0-9_.~+/=-]+', '\1 [removed]', 'gi'
            ),
            '([a-z_-]*token|api[_-]?key|authorization|auth|cookie|pass|passwd|password|pwd|secret)("?\s*[=:]\s*)("[^"]*"?|[^&;\s,}"]+)',
            '\1\2[removed]', 'gi'
        ),
        'escape'
    )
END;
