"""Wire formats of phone apps: bytes in, fixes out; no I/O."""
