"""
A snapshot laid out for the search: jobs and workers by number, every stop one number; no I/O.

Job j has the stops 2j (pickup) and 2j + 1 (drop-off), so that `stop ^ 1` is the other end and `stop >> 1` the job; a
job of one stop has 2j + 1 alone, whichever of the two it is.
Lists by stop are plain lists of ints: a route is walked some ten thousand times a second.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from dispatch.planning.demand import idle_values
from dispatch.planning.params import Params
from dispatch.planning.snapshot import FOREVER, Break, Job, Place, Snapshot, UnixS, Worker
from dispatch.stop import OrderId, PlannedStop, StopKind
from tracking.position import CourierId, Mode

PACE_STEP = 0.06
"""Couriers whose paces, in logs, are nearer than this are alike to the long search: 3 % of ten minutes is 18 s."""
Gait = tuple[Mode, int]
"""A mode, and by how many steps a courier's pace differs from everybody's."""
Floats = npt.NDArray[np.float64]

Later = Callable[[UnixS, int], int]
"""What a leg takes that is left for then, and takes so long now."""

StopNo = int
"""2 * job for its pickup, 2 * job + 1 for its drop-off."""
Stops = tuple[StopNo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Lists by stop, by job and by worker; build with `lay_out`."""

    now: UnixS
    params: Params
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    job_no: dict[OrderId, int]
    worker_no: dict[CourierId, int]

    place: list[Place]
    opens_at: list[UnixS]
    due_at: list[UnixS]
    closes_at: list[UnixS]
    service_s: list[int]
    uncertain_s: list[int]
    """Standard deviation of `opens_at`; 0: it is known."""
    late_rate: list[int]
    """Cost of a second after `due_at`; dearer with priority."""

    delivery_rate: list[int]
    """By job: cost of a second between ready and drop-off; dearer with priority."""
    ready_at: list[UnixS]
    groups: list[tuple[int, ...]]
    """Jobs to be collected together, two at least."""
    group_of: dict[int, int]
    """By job: the number of its group, where it has one."""
    ride_s: dict[int, int]
    """By job, where there is such a bound: at most so long from the end of the pickup to the drop-off."""
    direct_s: list[int]
    """By job: from pickup to drop-off in the fastest mode, at the usual pace and this hour."""
    onboard: list[bool]
    single: list[bool]
    """By job: has one stop, being on board or of that kind."""
    lone: frozenset[int]
    """Jobs of one stop that are not on board: who takes one makes way for it, as for a pickup."""
    kept: frozenset[int]
    """Of these, pickups of what stays on board."""
    shown_to: list[int]
    """By job: number of the worker who has been shown it, or -1."""
    idle_value: list[int]
    """By worker: what leaving its place unguarded costs; see demand.py."""
    gaits: list[Gait]
    """By worker."""
    durations_s: list[npt.NDArray[np.int32]]
    """By worker: the matrix of its mode, at the usual pace and for legs that are left for now; see `leg_s`."""
    paces: Floats | None
    """By worker: its pace; None where all are as usual."""
    distances_m: list[npt.NDArray[np.int32]]
    travel_s: Mapping[Mode, npt.NDArray[np.int32]]
    workers_of_mode: dict[Mode, npt.NDArray[np.int64]]
    fastest: float
    """No leg is shorter than this times what the matrix says, when it is driven soon; at most 1."""
    walk_weights: tuple[int, int, int, int]
    """Of travel, waiting, overtime and change: together with the next two what `route.walk` needs, unpacked at once."""
    clocks: list[tuple[Callable[[Place, Place], int], float, float, Later, UnixS, tuple[Break, ...]]]
    """By worker: travel time, pace (0: as usual), until when that holds, what it is later, end of shift, breaks."""
    lists: tuple[list[int], ...]
    """place, opens_at, uncertain_s, due_at, closes_at, service_s, ready_at, late_rate, delivery_rate, taken_from."""
    taken_from: list[int]
    """By stop: at the first one of a job that may change hands, the worker who has been shown it; else -1."""
    n_locked: list[int]
    """By worker: so many leading stops of its route stay; stops of orders that are no longer open do not count."""

    def leg_s(self, worker_no: int, origin: Place, destination: Place, leaves_at: UnixS) -> int:
        """What a leg takes a worker who leaves then."""
        duration, pace, steady_until, later, _, _ = self.clocks[worker_no]
        leg_s = duration(origin, destination)
        if pace:
            leg_s = int(leg_s * pace)
        return leg_s if leaves_at + leg_s <= steady_until else later(leaves_at, leg_s)

    def legs_s(self, places: npt.NDArray[np.int32], destination: Place) -> npt.NDArray[np.int32]:
        """What legs take now from `places[worker, …]`, each worker as they ride."""
        legs_s = np.empty(places.shape, dtype=np.int32)
        for mode, numbers in self.workers_of_mode.items():
            legs_s[numbers] = self.travel_s[mode][places[numbers], destination]
        if self.paces is not None:
            legs_s = (legs_s * self.paces.reshape(-1, *[1] * (places.ndim - 1))).astype(np.int32)
        return legs_s

    def planned(self, stop: StopNo) -> PlannedStop:
        """The stop in the snapshot's terms."""
        job = self.jobs[stop >> 1]
        return PlannedStop(job.order_id, job.only or (StopKind.DROPOFF if stop & 1 else StopKind.PICKUP))

    def number(self, stop: PlannedStop) -> StopNo:
        """The stop as it is numbered here."""
        job_no = self.job_no[stop.order_id]
        return 2 * job_no + (stop.kind is StopKind.DROPOFF or self.single[job_no])

    def stops_for(self, job_no: int) -> Stops:
        """The stops of a job that are to be made."""
        return (2 * job_no + 1,) if self.single[job_no] else (2 * job_no, 2 * job_no + 1)

    def stops_of(self, worker: Worker) -> Stops:
        """The plan in force, less stops of orders that are no longer open."""
        return tuple(self.number(stop) for stop in worker.route if stop.order_id in self.job_no)

    def carried(self, stops: Sequence[StopNo]) -> set[int]:
        """Jobs on board before the first stop: dropped off in the route but not collected in it."""
        return {stop >> 1 for stop in stops if stop & 1} - {stop >> 1 for stop in stops if not stop & 1} - self.kept


def lay_out(snapshot: Snapshot, params: Params) -> Problem:
    """Number the jobs and workers of a snapshot in its order and spread their fields over lists."""
    jobs, workers = snapshot.jobs, snapshot.workers
    visits = [visit for job in jobs for visit in (job.pickup, job.dropoff)]
    urgency = [1 + max(job.priority, 0) for job in jobs]
    shown = {order_id: number for number, worker in enumerate(workers) for order_id in worker.shown}
    job_no = {job.order_id: number for number, job in enumerate(jobs)}
    weights = params.weights
    durations_s = [snapshot.travel.durations_s[worker.mode] for worker in workers]
    paces = np.array([worker.pace for worker in workers])
    habits = snapshot.travel.habits
    rhythms = [habits[worker.mode].rhythm if worker.mode in habits else None for worker in workers]
    fastest = min((rhythm.fastest for rhythm in rhythms if rhythm is not None), default=1.0)
    place = [visit.place for visit in visits]
    opens_at = [visit.opens_at for visit in visits]
    due_at = [visit.due_at for visit in visits]
    closes_at = [visit.closes_at for visit in visits]
    service_s = [visit.service_s for visit in visits]
    uncertain_s = [error_s for job in jobs for error_s in (job.ready_error_s, 0)]
    late_rate = [weights.lateness * factor for factor in urgency for _ in range(2)]
    delivery_rate = [weights.delivery * factor * job.is_awaited for factor, job in zip(urgency, jobs, strict=True)]
    ready_at = [job.ready_at for job in jobs]
    shown_to = [shown.get(job.order_id, -1) for job in jobs]
    onboard = [job.onboard_of is not None for job in jobs]
    lone = frozenset(n for n, job in enumerate(jobs) if job.only is not None and not onboard[n])
    taken_from = [
        shown_to[n] if is_dropoff == (n in lone) else -1 for n in range(len(jobs)) for is_dropoff in (False, True)
    ]
    groups = _groups(jobs)
    return Problem(
        now=snapshot.now,
        params=params,
        jobs=jobs,
        workers=workers,
        job_no=job_no,
        worker_no={worker.courier_id: number for number, worker in enumerate(workers)},
        place=place,
        opens_at=opens_at,
        due_at=due_at,
        closes_at=closes_at,
        service_s=service_s,
        uncertain_s=uncertain_s,
        late_rate=late_rate,
        delivery_rate=delivery_rate,
        ready_at=ready_at,
        groups=groups,
        group_of={job_no: number for number, members in enumerate(groups) for job_no in members},
        ride_s={
            number: job.max_on_board_s
            for number, job in enumerate(jobs)
            if job.max_on_board_s is not None and job.onboard_of is None and job.only is None
        },
        direct_s=_direct_s(snapshot),
        onboard=onboard,
        single=[onboard[n] or n in lone for n in range(len(jobs))],
        lone=lone,
        kept=frozenset(n for n in lone if jobs[n].only is StopKind.PICKUP),
        shown_to=shown_to,
        idle_value=idle_values(snapshot, params),
        gaits=[(worker.mode, round(log(worker.pace) / PACE_STEP)) for worker in workers],
        durations_s=durations_s,
        paces=None if (paces == 1.0).all() else paces,
        distances_m=[snapshot.travel.distances_m[worker.mode] for worker in workers],
        travel_s=snapshot.travel.durations_s,
        workers_of_mode={
            mode: np.array([number for number, worker in enumerate(workers) if worker.mode == mode], dtype=np.int64)
            for mode in sorted({worker.mode for worker in workers})
        },
        fastest=fastest,
        walk_weights=(weights.travel, weights.waiting, weights.overtime, weights.change),
        clocks=[
            (
                matrix.item,
                0.0 if worker.pace == 1.0 else worker.pace,
                FOREVER if rhythm is None else rhythm.steady_until,
                _as_now if rhythm is None else rhythm.leg_s,
                worker.shift_ends_at,
                worker.breaks,
            )
            for matrix, rhythm, worker in zip(durations_s, rhythms, workers, strict=True)
        ],
        lists=(
            place,
            opens_at,
            uncertain_s,
            due_at,
            closes_at,
            service_s,
            ready_at,
            late_rate,
            delivery_rate,
            taken_from,
        ),
        taken_from=taken_from,
        n_locked=[sum(stop.order_id in job_no for stop in worker.route[: worker.n_locked]) for worker in workers],
    )


def at_gait(durations_s: npt.NDArray[np.int32], gait: Gait) -> npt.NDArray[np.int32]:
    """Times of a mode at a courier's pace, for searches that need them all at once; `walk` has them to the second."""
    if not gait[1]:
        return durations_s
    scaled: npt.NDArray[np.int32] = np.rint(durations_s * np.float32(exp(gait[1] * PACE_STEP))).astype(np.int32)
    return scaled


def _as_now(_: UnixS, leg_s: int) -> int:
    return leg_s


def _groups(jobs: Sequence[Job]) -> list[tuple[int, ...]]:
    found: dict[tuple[str, Place], list[int]] = {}
    for number, job in enumerate(jobs):
        if job.group is not None and job.onboard_of is None and job.only is None:
            found.setdefault((job.group, job.pickup.place), []).append(number)
    return [tuple(members) for members in found.values() if len(members) > 1]


def _direct_s(snapshot: Snapshot) -> list[int]:
    matrices = snapshot.travel.durations_s.values()
    if not snapshot.jobs or not matrices:
        return [0] * len(snapshot.jobs)
    pickups = [job.pickup.place for job in snapshot.jobs]
    dropoffs = [job.dropoff.place for job in snapshot.jobs]
    fastest: list[int] = np.min([matrix[pickups, dropoffs] for matrix in matrices], axis=0).tolist()
    return fastest
