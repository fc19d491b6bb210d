"""
What can go wrong in tracking.

    TrackingError
    ├── CourierNotFound
    ├── PositionNotFound   the courier has not sent a usable position yet
    ├── GeofenceNotFound
    ├── LeaseLost          somebody else does the job now: nothing was written
    ├── LogFull            the position log is longer than its bound: try again later
    └── LogUnavailable     Redis does not answer: nothing was accepted

A class docstring is the default message; facts are attributes and become members of the problem (app/web/problems.py).
A fix that cannot be used is a value, not an exception: it is ordinary traffic.
"""


class TrackingError(Exception):
    """Something went wrong in tracking."""

    def __init__(self, message: str | None = None, **facts: object) -> None:
        super().__init__(message or self.__doc__)
        self.facts = facts


class CourierNotFound(TrackingError):
    """There is no such courier."""


class PositionNotFound(TrackingError):
    """The courier has not sent a usable position yet."""


class GeofenceNotFound(TrackingError):
    """There is no such geofence."""


class LeaseLost(TrackingError):
    """Another process does this for the region now."""


class LogFull(TrackingError):
    """The backlog of positions is longer than its bound; try again later."""


class LogUnavailable(TrackingError):
    """The position log does not answer; nothing was accepted."""
