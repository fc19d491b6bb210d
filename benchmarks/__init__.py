"""Benchmarks: `python -m benchmarks.NAME --json`; see README.md in this folder."""
