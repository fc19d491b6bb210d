"""What a writer remembers of couriers, against a plain dictionary that remembers everybody."""

from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracking.batch import PositionColumns
from tracking.history.neighbours import N_CONTEXT, Heads, merge
from tracking.quality import Limits

N_COURIERS = 9
MOST = 4
"""So few are remembered that nearly every batch overflows."""
Step = tuple[list[int], list[int]]
"""Couriers of a batch, and those dropped after it."""
couriers = st.lists(st.integers(0, N_COURIERS - 1), unique=True)
steps = st.lists(st.tuples(couriers.filter(bool), couriers), max_size=12)


def fixes(fixed: list[tuple[int, int]]) -> PositionColumns:
    """A fix of each (courier, second); where it is tells whose it is."""
    ids = tuple(dict.fromkeys(UUID(int=courier + 1) for courier, _ in fixed))
    n = len(fixed)
    unknown = np.full(n, np.nan)
    return PositionColumns.from_floats(
        courier_ids=ids,
        courier=np.array([ids.index(UUID(int=courier + 1)) for courier, _ in fixed], dtype="<i4"),
        fixed_us=np.array([second * 1_000_000 for _, second in fixed], dtype=np.int64),
        received_us=np.array([second * 1_000_000 for _, second in fixed], dtype=np.int64),
        lat=np.array([float(courier) for courier, _ in fixed]),
        lon=np.zeros(n),
        speed_mps=unknown,
        course_deg=np.zeros(n),
        accuracy_m=unknown,
        altitude_m=unknown,
        battery_pct=unknown,
        mode=np.ones(n, dtype=np.int8),
        marks=np.zeros(n, dtype=np.int8),
    )


@given(steps)
def test_head_is_the_couriers_own_whatever_was_learnt_dropped_and_forgotten(steps: list[Step]):
    heads, stored = Heads(most=MOST), {courier: [0] for courier in range(N_COURIERS)}
    for now, (batch_of, dropped) in enumerate(steps, start=1):
        batch = fixes([(courier, now) for courier in sorted(batch_of)])
        missing = [batch.courier_ids[i].int - 1 for i in heads.missing(batch.courier_ids)]
        recent = [(courier, second) for courier in missing for second in stored[courier][-N_CONTEXT:]]
        asked = [UUID(int=courier + 1) for courier in missing]
        heads.learn(asked, [stored[courier][-1] * 1_000_000 for courier in missing], fixes(recent))

        assert not heads.is_late(batch).any()
        again = fixes([(courier, stored[courier][-1]) for courier in sorted(batch_of)])
        assert heads.is_late(again).all(), "what is stored is not new"
        context = heads.context(batch)
        held = sorted(
            (int(lat // 10**7), us // 10**6) for lat, us in zip(context.lat_e7, context.fixed_us, strict=True)
        )
        assert held == sorted((courier, second) for courier in batch_of for second in stored[courier][-N_CONTEXT:])

        heads.follow(context, merge(batch, context, Limits()))
        for courier in batch_of:
            stored[courier].append(now)
        heads.drop({UUID(int=courier + 1) for courier in dropped})


def test_courier_who_is_dropped_time_and_again_takes_no_more_room():
    heads, anna = Heads(), UUID(int=1)
    for _ in range(1000):
        heads.learn([anna], [0], PositionColumns.empty())
        heads.drop({anna})
    assert len(heads._last_us) < 100


def test_courier_who_is_not_remembered_is_a_defect_and_not_somebody_else():
    heads = Heads()
    heads.learn([UUID(int=2)], [0], PositionColumns.empty())
    try:
        heads.is_late(fixes([(0, 1)]))
    except LookupError:
        return
    raise AssertionError("expected LookupError")
