"""From the log to TimescaleDB, and what is asked of it: tracks, rollups, exports, retention."""
