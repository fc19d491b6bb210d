"""When a courier counts as being at a stop."""

AT_STOP_M = 60.0
"""Within this of the stop a courier may have arrived: a building, a car park, and the error of a phone in a street."""
AT_STOP_MPS = 1.5
"""... and has, when not faster than this; a walk from the kerb counts as service."""
LEFT_STOP_M = 120.0
"""A courier this far from a stop that was reached has gone on."""
STILL_M = 25.0
"""Standing still: no farther than this from where the courier came to rest."""
