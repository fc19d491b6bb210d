-- What couriers earn: rules by version, the facts of what they did, and a ledger that is only ever added to.

CREATE TABLE pay_rules (
    region text NOT NULL REFERENCES regions (id),
    version integer NOT NULL,
    in_force_from timestamptz NOT NULL,
    source text NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (region, version)
);
COMMENT ON TABLE pay_rules IS 'Rules of pay as they were written, in YAML; of those in force at an instant the newest counts.';

CREATE TABLE pay_due (
    courier_id uuid NOT NULL,
    about text NOT NULL,
    region text NOT NULL REFERENCES regions (id),
    event_id bigint,
    day date,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries integer NOT NULL DEFAULT 0,
    cause text,
    PRIMARY KEY (courier_id, about),
    CONSTRAINT pay_is_due_of_an_event_or_a_day CHECK ((event_id IS NULL) <> (day IS NULL))
);
COMMENT ON TABLE pay_due IS 'What happened and is to be booked, or looked at again.';
COMMENT ON COLUMN pay_due.about IS 'order:<id of its row in order_events>, or day:<region>:<date>.';
CREATE INDEX pay_due_by_time ON pay_due (due_at);

CREATE TABLE pay_facts (
    courier_id uuid NOT NULL,
    about text NOT NULL,
    region text NOT NULL,
    order_id uuid NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (courier_id, about)
);
COMMENT ON TABLE pay_facts IS 'What rules can ask of an order that ended for a courier, as it was known then.';
COMMENT ON COLUMN pay_facts.day IS 'By the region''s clock.';
CREATE INDEX pay_facts_by_region ON pay_facts (region, day);
CREATE INDEX pay_facts_by_day ON pay_facts (courier_id, region, day);
CREATE INDEX pay_facts_by_time ON pay_facts (at);

CREATE TABLE pay_entries (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    courier_id uuid NOT NULL,
    region text NOT NULL,
    kind text NOT NULL,
    about text NOT NULL,
    rule text NOT NULL,
    version integer,
    revision integer NOT NULL DEFAULT 1,
    amount bigint NOT NULL,
    currency text NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    order_id uuid,
    facts jsonb NOT NULL DEFAULT '{}',
    reverses uuid,
    actor text NOT NULL,
    role text NOT NULL,
    reason text,
    CONSTRAINT pay_entry_id_is_unique UNIQUE (id),
    CONSTRAINT pay_is_booked_once UNIQUE (courier_id, about, rule, revision),
    CONSTRAINT pay_entry_kind_is_known CHECK (kind IN ('accrual', 'tip', 'correction', 'reversal')),
    CONSTRAINT pay_entry_is_of_something CHECK (amount <> 0),
    CONSTRAINT reversal_names_what_it_reverses CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
);
COMMENT ON TABLE pay_entries IS 'The ledger: entries are added and never changed; a mistake is put right by another entry.';
COMMENT ON COLUMN pay_entries.about IS 'What it is for, as in pay_due; entry:<id> for what people booked or reversed.';
COMMENT ON COLUMN pay_entries.revision IS 'The first is 1; a later one is the difference to what the rules say by then.';
COMMENT ON COLUMN pay_entries.amount IS 'Minor units (cents) of the currency.';
COMMENT ON COLUMN pay_entries.at IS 'When it was earned.';
CREATE INDEX pay_entries_by_courier ON pay_entries (courier_id, at);
CREATE INDEX pay_entries_by_region ON pay_entries (region, day);
CREATE INDEX pay_entries_by_time ON pay_entries (at);

CREATE TABLE pay_days (
    region text PRIMARY KEY REFERENCES regions (id),
    next_day date NOT NULL
);
COMMENT ON TABLE pay_days IS 'By region, the first day whose end was not looked at yet.';

CREATE FUNCTION pay_entry_stays() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the ledger is never changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER stays BEFORE UPDATE ON pay_entries FOR EACH ROW EXECUTE FUNCTION pay_entry_stays();

CREATE FUNCTION order_is_paid_for() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO pay_due (courier_id, about, region, event_id)
    SELECT new.courier_id, 'order:' || new.id, o.region, new.id
    FROM orders AS o
    WHERE o.id = new.order_id AND EXISTS (SELECT FROM pay_rules AS r WHERE r.region = o.region)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER is_paid_for AFTER INSERT ON order_events FOR EACH ROW
WHEN (new.courier_id IS NOT NULL AND new.action IN ('delivered', 'failed', 'returned')) EXECUTE FUNCTION order_is_paid_for();

CREATE FUNCTION tell_of_pay() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM put_event(
        CASE new.kind WHEN 'reversal' THEN 'pay.reversed' ELSE 'pay.accrued' END,
        new.courier_id, new.region, new.at, new.courier_id, to_jsonb(new)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER goes_out AFTER INSERT ON pay_entries FOR EACH ROW EXECUTE FUNCTION tell_of_pay();
