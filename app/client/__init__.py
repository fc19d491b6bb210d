"""A client of Postrider: `async with Postrider(url, token) as postrider: await postrider.place_order({...})`."""

from .calls import Calls
from .connection import Event, Refused

__all__ = ["Event", "Postrider", "Refused"]


class Postrider(Calls):
    """Whoever has a token: a company's system, a courier's app, a gateway of trackers."""
