"""Our stays against those of an independent library; the whole track is in `python -m benchmarks.stays`."""

from benchmarks.recorded import geolife_fixes
from benchmarks.stays import report
from tracking.watching.motion import MotionParams

N_FIXES = 22_000
"""A fifth of the track. Of the first 15,000, taken while a silence of 300 s was always a gap, 53 of 56 long stays agree
(94.6 %): one more of two fixes around a silence, which the library does not take for a stop. The whole: 95.7 %."""


def test_stays_of_three_minutes_agree_with_movingpandas_both_ways(data_folder):
    found = report(geolife_fixes(data_folder)[:N_FIXES], MotionParams())
    assert found["postrider"]["long"] > 25
    assert found["postrider"]["agreed"] >= 0.95
    assert found["movingpandas"]["agreed"] >= 0.95
