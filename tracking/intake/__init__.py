"""From a phone's request to the log: read, screen, store in one round trip."""
