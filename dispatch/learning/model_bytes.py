"""What was learned as bytes, so that one process learns and all use it: MessagePack, arrays as float32; no I/O."""

from collections.abc import Mapping
from uuid import UUID

import msgspec
import numpy as np

from dispatch.learning.conformal import Band, Calibration
from dispatch.learning.kriging import Floats, Kriging, Projection, Sites
from dispatch.learning.ready_errors import ReadyErrors
from dispatch.learning.service_times import Declared, ServiceTimes
from dispatch.learning.travel_model import TravelModel
from dispatch.stop import StopKind
from tracking.position import CourierId, Mode, Region

SERVICES = "services"
"""Subject of service times; of travel models it is `mode:base`."""


class _Model(msgspec.Struct, array_like=True):
    """A travel model on the wire. Fields are only ever added at the end."""

    version: int
    mode: Mode
    base: str
    n_legs: int
    projection: tuple[float, float]
    sites: bytes
    """float32, shape (6, n): origin x y, destination x y, hour, legs."""
    weights: bytes
    """float64: predictions are differences of large sums of these."""
    variances: list[float]
    coefficients: list[float]
    calibration: tuple[float, float, float, float, float, int]
    couriers: dict[UUID, float]


class _Services(msgspec.Struct, array_like=True):
    """Service times on the wire. Fields are only ever added at the end."""

    version: int
    kinds: dict[str, float]
    places: list[tuple[str, int, float]]
    couriers: list[tuple[str, UUID, float]]
    bands: dict[str, tuple[float, float, float]]
    counts: dict[str, int]
    declared: dict[str, tuple[float, float]] = {}
    ready: tuple[float, list[tuple[int, float]], list[tuple[int, int, float]]] = (0.0, [], [])
    """Errors of ready times: usual, by cell, by cell and part of the day."""


MODEL_VERSION = 2
"""2: intervals are on the scale of places nobody ever went to."""
VERSION = 1
"""Bytes of another version are not read: they are learned again."""

_encode = msgspec.msgpack.Encoder().encode
_model = msgspec.msgpack.Decoder(_Model)
_services = msgspec.msgpack.Decoder(_Services)


def subject_of(model: TravelModel) -> str:
    """Key of a model within its region."""
    return f"{model.mode.value}:{model.base}"


def model_to_bytes(model: TravelModel) -> bytes:
    """Bytes of a travel model."""
    kriging, calibration = model.kriging, model.calibration
    sites = kriging.sites
    table = np.vstack([sites.origin_xy.T, sites.destination_xy.T, sites.hour, sites.n_legs])
    return _encode(
        _Model(
            version=MODEL_VERSION,
            mode=model.mode,
            base=model.base,
            n_legs=model.n_legs,
            projection=(kriging.projection.lat, kriging.projection.lon),
            sites=table.astype("<f4").tobytes(),
            weights=kriging.weights.astype("<f8").tobytes(),
            variances=kriging.variances.tolist(),
            coefficients=kriging.coefficients.tolist(),
            calibration=(
                calibration.level,
                calibration.slope,
                calibration.low_score,
                calibration.middle_score,
                calibration.high_score,
                calibration.n_errors,
            ),
            couriers={UUID(bytes=courier_id.bytes): effect for courier_id, effect in model.couriers.items()},
        )
    )


def model_from_bytes(body: bytes, region: Region) -> TravelModel:
    """The travel model; ValueError for bytes that are none, or of another version."""
    try:
        wire = _model.decode(body)
    except msgspec.DecodeError as exc:
        raise ValueError("expected a travel model") from exc
    if wire.version != MODEL_VERSION:
        raise ValueError(f"expected version {MODEL_VERSION}")
    table: Floats = np.frombuffer(wire.sites, dtype="<f4").astype(np.float64).reshape(6, -1)
    level, slope, p10, p50, p90, n_errors = wire.calibration
    lat, lon = wire.projection
    return TravelModel(
        region=region,
        mode=wire.mode,
        base=wire.base,
        n_legs=wire.n_legs,
        kriging=Kriging(
            projection=Projection(lat=lat, lon=lon),
            sites=Sites(origin_xy=table[:2].T, destination_xy=table[2:4].T, hour=table[4], n_legs=table[5]),
            variances=np.array(wire.variances),
            weights=np.frombuffer(wire.weights, dtype="<f8").astype(np.float64),
            coefficients=np.array(wire.coefficients),
        ),
        calibration=Calibration(
            level=level, slope=slope, low_score=p10, middle_score=p50, high_score=p90, n_errors=n_errors
        ),
        couriers={CourierId(courier_id): effect for courier_id, effect in wire.couriers.items()},
    )


def services_to_bytes(times: ServiceTimes) -> bytes:
    """Bytes of service times."""
    return _encode(
        _Services(
            version=VERSION,
            kinds=_by_name(times.kinds),
            places=[(kind.value, cell, effect) for (kind, cell), effect in times.places.items()],
            couriers=[(kind.value, courier_id, effect) for (kind, courier_id), effect in times.couriers.items()],
            bands={kind.value: (band.low, band.middle, band.high) for kind, band in times.bands.items()},
            counts={kind.value: n for kind, n in times.counts.items()},
            ready=(
                times.ready.usual_s,
                list(times.ready.places.items()),
                [(cell, part, error_s) for (cell, part), error_s in times.ready.hours.items()],
            ),
            declared={kind.value: (known.log_usual, known.worth) for kind, known in times.declared.items()},
        )
    )


def _by_name(values: Mapping[StopKind, float]) -> dict[str, float]:
    return {kind.value: value for kind, value in values.items()}


def services_from_bytes(body: bytes) -> ServiceTimes:
    """The service times; ValueError for bytes that are none, or of another version."""
    try:
        wire = _services.decode(body)
    except msgspec.DecodeError as exc:
        raise ValueError("expected service times") from exc
    if wire.version != VERSION:
        raise ValueError(f"expected version {VERSION}")
    return ServiceTimes(
        kinds={StopKind(kind): value for kind, value in wire.kinds.items()},
        declared={
            StopKind(kind): Declared(log_usual=usual, worth=worth) for kind, (usual, worth) in wire.declared.items()
        },
        places={(StopKind(kind), cell): effect for kind, cell, effect in wire.places},
        couriers={(StopKind(kind), CourierId(courier_id)): effect for kind, courier_id, effect in wire.couriers},
        bands={StopKind(kind): Band(low=p10, middle=p50, high=p90) for kind, (p10, p50, p90) in wire.bands.items()},
        counts={StopKind(kind): n for kind, n in wire.counts.items()},
        ready=ReadyErrors(
            usual_s=wire.ready[0],
            places=dict(wire.ready[1]),
            hours={(cell, part): error_s for cell, part, error_s in wire.ready[2]},
        ),
    )
