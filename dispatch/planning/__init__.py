"""The planner: a snapshot in, a proposal out. Pure: no I/O, no clock; `propose.py` is the method."""
