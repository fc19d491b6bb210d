"""Where a day under way has its couriers, and the fixes that their phones still have of the minutes before."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from app.simulation.day import Story
from app.simulation.fleet import Fleet
from app.simulation.member import Member
from tracking.geo import bearing_deg, distance_m
from tracking.position import LatLon

FIX_EVERY: Final = timedelta(seconds=10)
LONGEST: Final = timedelta(minutes=25)
"""A phone tells of no more than this."""
IDLE: Final = timedelta(minutes=8)


async def take_places(fleet: Fleet, stories: Iterable[Story], now: datetime) -> None:
    """Put the couriers where the stories have them, and tell the server of their way there."""
    placed: set[int] = set()
    for story in stories:
        if story.leg is None or story.courier is None or story.courier in placed:
            continue
        placed.add(story.courier)
        member, leg = fleet.members[story.courier], story.leg
        behind, ahead = split(await fleet.ways.between(leg.start, leg.end, member.body.mode), leg.share)
        arrived_at = now - timedelta(seconds=leg.stands_s)
        _drove(member, behind, leg.began_at, arrived_at, now)
        member.body.go(ahead)
        member.body.waits_s = 0.0
        if leg.stands_s:
            fleet.stop_moving(member)
    for number, member in enumerate(fleet.members):
        if number not in placed:
            _drove(member, [member.body.at], now - IDLE, now - IDLE, now)
        await member.phone.upload()


def split(way: Sequence[LatLon], share: float) -> tuple[list[LatLon], list[LatLon]]:
    """A way at a share of its length: what lies behind, ending there, and what lies ahead."""
    left_m = share * sum(distance_m(a, b) for a, b in pairwise(way))
    for number, (a, b) in enumerate(pairwise(way)):
        step_m = distance_m(a, b)
        if step_m > left_m:
            part = left_m / step_m
            here = LatLon(a.lat + (b.lat - a.lat) * part, a.lon + (b.lon - a.lon) * part)
            return [*way[: number + 1], here], list(way[number + 1 :])
        left_m -= step_m
    return list(way), []


def _drove(member: Member, behind: Sequence[LatLon], began_at: datetime, arrived_at: datetime, now: datetime) -> None:
    """The phone keeps a fix of every few seconds of it, and of the time since."""
    body = member.body
    length_m = sum(distance_m(a, b) for a, b in pairwise(behind))
    took_s = max(1.0, (arrived_at - began_at).total_seconds())
    at = max(began_at, now - LONGEST)
    while at < now:
        share = min(1.0, (at - began_at).total_seconds() / took_s)
        done, rest = split(behind, share)
        if rest:
            body.course_deg = bearing_deg(done[-1], rest[0])
        body.at = done[-1]
        body.speed_mps = length_m / took_s if rest else 0.0
        member.phone.note(body.read(), at)
        at += FIX_EVERY if rest else 3 * FIX_EVERY
    body.at, body.speed_mps = behind[-1], 0.0
