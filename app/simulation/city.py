"""Where a simulated fleet works: streets, kitchens, and the homes of those who order."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from app.simulation.town import Town
from tracking.position import LatLon

N_KITCHENS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Somewhere to collect or to deliver."""

    at: LatLon
    address: str
    name: str = ""

    @property
    def words(self) -> str:
        """As it stands on an order."""
        return f"{self.name}, {self.address}" if self.name else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Where a fleet works."""

    town: Town
    kitchens: Sequence[Spot]
    homes: Sequence[Spot]

    def busy_kitchens(self, seed: int) -> list[Spot]:
        """Where the orders come from: the same for the same seed."""
        random = Random(f"kitchens {seed}")  # noqa: S311 - a simulation, no secret
        return random.sample(self.kitchens, min(N_KITCHENS, len(self.kitchens)))


def made_up(town: Town, random: Random) -> City:
    """A made-up town's kitchens have numbers, and its people no address."""
    kitchens = random.sample(town.corners, min(N_KITCHENS, len(town.corners)))
    return City(
        town=town,
        kitchens=[Spot(at=at, address=f"Kitchen {number}") for number, at in enumerate(kitchens, 1)],
        homes=[Spot(at=at, address="") for at in town.corners],
    )
