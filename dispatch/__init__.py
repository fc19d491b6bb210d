"""Who carries what; may use tracking, never app."""
