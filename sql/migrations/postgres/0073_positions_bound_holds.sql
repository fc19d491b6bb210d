-- Reads the table once; nobody waits for it.

ALTER TABLE positions VALIDATE CONSTRAINT before_the_days;
