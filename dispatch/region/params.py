"""How a region is run; each region may set some of it for itself, see `dispatch.region.settings`. No I/O."""

from dataclasses import dataclass, field, replace
from typing import Self

from dispatch.orders.pauses import PauseParams
from dispatch.planning.params import Bundling, Params
from dispatch.planning.profiles import PROFILES, Profile
from dispatch.region.world import SurveyParams


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleParams:
    """How a region is run."""

    profile: Profile = Profile.QUICK
    """What `plan` began as."""
    plan: Params = field(default_factory=lambda: PROFILES[Profile.QUICK])
    survey: SurveyParams = field(default_factory=SurveyParams)
    pauses: PauseParams = field(default_factory=PauseParams)
    chooses_depots: bool = False
    """Orders that name no depot are collected at, or brought to, the one where that costs least."""
    shifts_at_depots: bool = False
    """Shifts that name no place begin and end at the depots that the plan of a day finds cheapest."""
    asks: bool = True
    """Couriers are asked; False: they are given what is planned for them."""
    asks_several: bool = False
    """Several at once, and whoever accepts first has it; False: one after the other."""
    ask_at_once: int = 3
    """So many, where several are asked."""
    offer_for_s: float = 60.0
    """How long a courier may think. Deliveroo leaves offers open for 100 s in one market; less loses less time."""
    ask_again_after_s: float = 120.0
    """Before that a courier who turned an order down is not asked again, even when nobody else can take it."""
    at_once_s: float = 1.0
    """Time for the plan that offers are made from; what is found by then counts."""
    search_s: float = 2.0
    """Time for the search that improves it afterwards; 0: none."""
    map_budget_s: float = 0.5
    """Longest wait for travel times; the great circle answers for the rest."""

    def by(self, profile: Profile) -> Self:
        """The same, planned by a profile."""
        return replace(self, profile=profile, plan=PROFILES[profile])

    @property
    def quick_plan(self) -> Params:
        """How the plan is made that offers come from, beside the event loop: without OR-Tools, which holds it up."""
        plan = replace(self.plan, search_s=0.0)
        return plan if plan.bundling is Bundling.SAME_PICKUP else replace(plan, search_iterations=None)

    @property
    def long_plan(self) -> Params:
        """How it is improved afterwards, in a process of its own."""
        return replace(self.plan, search_s=self.search_s, search_iterations=None)
