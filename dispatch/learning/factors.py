"""The learned models in force, as the travel chain and the ETAs ask for them; no I/O."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import exp

import numpy as np
import numpy.typing as npt

from dispatch.learning.travel_model import GREAT_CIRCLE, TravelModel, columns_of, hour_of_week
from dispatch.rhythm import Habits
from dispatch.travel.times import Source
from tracking.position import LatLon, Mode

Floats = npt.NDArray[np.float64]


class LearnedFactors:
    """
    The models in force, as `dispatch.travel` asks for them (`SpeedFactors`).

    Immutable: the learner makes a new one after each fit. `n_least` legs of a region and mode are needed before the
    great circle, or an engine, is corrected.
    """

    def __init__(self, models: Iterable[TravelModel] = (), *, n_least: int = 20) -> None:
        self._models: dict[tuple[Mode, str], list[TravelModel]] = {}
        self._n_least = n_least
        for model in models:
            self._models.setdefault((model.mode, model.base), []).append(model)

    def model(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        """The model that knows most about a place, None when none reaches there."""
        near = [model for model in self._models.get((mode, base), ()) if model.reaches(at)]
        return max(near, key=lambda model: model.n_legs, default=None)

    def factors(
        self,
        mode: Mode,
        origins: Sequence[LatLon],
        destinations: Sequence[LatLon],
        at: datetime,
        *,
        engine: Source | None = None,
    ) -> Floats:
        """Real ÷ expected duration of all pairs, shape (n, m); NaN where nothing is known."""
        nothing = np.full((len(origins), len(destinations)), np.nan)
        if not nothing.size:
            return nothing
        model = self._usable(mode, GREAT_CIRCLE if engine is None else engine.value, origins[0])
        if model is None:
            return nothing
        hour = hour_of_week(at, origins[0].lon)
        apart_m, means = model.kriging.mean_matrix(columns_of(origins), columns_of(destinations), hour)
        factors: Floats = np.exp(means + model.calibration.middle_score * model.calibration.spread(apart_m))
        return factors

    def habits(self, mode: Mode, near: LatLon, at: datetime, *, engine: Source | None = None) -> Habits:
        """See SpeedFactors."""
        model = self._usable(mode, GREAT_CIRCLE if engine is None else engine.value, near)
        if model is None:
            return Habits()
        paces = {courier_id: exp(effect) for courier_id, effect in model.couriers.items()}
        return Habits(rhythm=model.rhythm(near, at), paces=paces)

    def _usable(self, mode: Mode, base: str, at: LatLon) -> TravelModel | None:
        model = self.model(mode, base, at)
        return model if model is not None and model.n_legs >= self._n_least else None
