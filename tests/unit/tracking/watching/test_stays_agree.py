"""Our stays against those of an independent library; the whole track is in `python -m benchmarks.stays`."""

from benchmarks.recorded import geolife_fixes
from benchmarks.stays import report
from tracking.watching.motion import MotionParams


def test_stays_of_three_minutes_agree_with_movingpandas_both_ways(data_folder):
    found = report(geolife_fixes(data_folder)[:22_000], MotionParams())
    assert found["postrider"]["long"] > 25
    assert found["postrider"]["agreed"] >= 0.95
    assert found["movingpandas"]["agreed"] >= 0.95
