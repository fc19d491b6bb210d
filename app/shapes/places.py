"""What places and what they make look like on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, UnsetType

from app.shapes.orders import Contact, Latitude, Longitude, OrderLine, Reference, Text, Version
from app.web.auth import Caller, Role
from app.web.problems import BadInput
from dispatch.errors import PlaceNotFound
from dispatch.orders.rows import from_json, to_json
from dispatch.places.place import hours_from

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
Clock = Annotated[str, msgspec.Meta(pattern="^[0-9]{2}:[0-9]{2}$", description="HH:MM, up to 24:00.")]
Capacity = Annotated[int, msgspec.Meta(ge=1, le=1000)]
PrepareS = Annotated[int, msgspec.Meta(ge=0, le=86_400)]
MaxQueue = Annotated[int, msgspec.Meta(ge=1, le=500)]


class OpenSpan(msgspec.Struct, kw_only=True, rename={"from_": "from"}):
    """When a place works; over midnight when it ends before it begins."""

    from_: Clock
    to: Clock
    weekdays: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=6)]], msgspec.Meta(min_length=1, max_length=7)] = (
        msgspec.field(default_factory=lambda: list(range(7)))
    )
    """Days on which it begins; 0 is Monday."""


class RecipeShape(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How something is made."""

    item: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
    minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    """So many pieces in one go, of several orders where they fit."""
    shelf_life_minutes: Annotated[int, msgspec.Meta(ge=0, le=10_080)] | None = None
    """It is good for so long once it is ready; null: no bound."""
    ahead_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] | None = None
    """It may be made before it is ordered, and takes so long then; null: it is made for orders only."""


OpenSpans = Annotated[list[OpenSpan], msgspec.Meta(max_length=32)]
Recipes = Annotated[list[RecipeShape], msgspec.Meta(max_length=1000)]


class NewPlace(msgspec.Struct, kw_only=True):
    """A place to be; `region` defaults to the installation's only one."""

    name: Name
    lat: Latitude
    lon: Longitude
    region: str | None = None
    partner: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """Whose it is: only that partner's orders may name it; null: everybody's."""
    external_id: Reference | None = None
    address: Text | None = None
    contact: Contact | None = None
    instructions: Text | None = None
    """For the courier."""
    hours: OpenSpans = []
    """By the region's clock; none: always."""
    capacity: Capacity = 1
    """Orders, or batches of them, that are made at the same time."""
    prepare_s: PrepareS = 600
    """How long what has no recipe takes, in seconds."""
    recipes: Recipes = []
    max_queue: MaxQueue | None = None
    """With so many to make it takes no more orders (409 `place-full`); null: any number."""


class PlacePatch(msgspec.Struct, kw_only=True):
    """What shall change; `version` (or If-Match) refuses the change when somebody else was first."""

    name: Name | UnsetType = UNSET
    lat: Latitude | UnsetType = UNSET
    lon: Longitude | UnsetType = UNSET
    external_id: Reference | UnsetType | None = UNSET
    address: Text | UnsetType | None = UNSET
    contact: Contact | UnsetType | None = UNSET
    instructions: Text | UnsetType | None = UNSET
    hours: OpenSpans | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET
    prepare_s: PrepareS | UnsetType = UNSET
    recipes: Recipes | UnsetType = UNSET
    max_queue: MaxQueue | UnsetType | None = UNSET
    version: Version | UnsetType = UNSET


class PlaceInfo(msgspec.Struct, kw_only=True):
    """A place where orders are prepared and collected."""

    id: UUID
    region: str
    partner: str | None
    external_id: str | None
    name: str
    lat: float
    lon: float
    address: str | None
    contact: dict[str, str] | None
    instructions: str | None
    hours: list[OpenSpan]
    timezone: str
    """Of its region."""
    capacity: int
    prepare_s: int
    recipes: list[RecipeShape]
    max_queue: int | None
    paused_until: datetime | None
    """Nothing is begun before that; null, or past: it works."""
    version: int
    created_at: datetime
    updated_at: datetime


class Pause(msgspec.Struct, kw_only=True):
    """For how long nothing new is begun."""

    minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    """0: it goes on now."""


class TaskShape(msgspec.Struct, kw_only=True):
    """What a place makes for an order."""

    order_id: UUID
    external_id: str | None
    state: Literal["waiting", "started", "ready"]
    lines: list[OrderLine]
    placed_at: datetime
    starts_at: datetime | None
    """When to begin, so that it is ready when the courier comes; or when it was begun. Null: it cannot be made."""
    ends_at: datetime | None
    """When it is ready then, or was."""
    courier_at: datetime | None
    """When the courier is expected; null: nobody has it yet."""
    ready_at: datetime | None
    """What dispatch goes by."""
    cannot: str | None
    """Why it has no slot: `closed`, `too_late`, `shelf_life`, `capacity` or `problem`."""
    problem: str | None
    """In the place's own words."""


class GoShape(msgspec.Struct, kw_only=True):
    """Something that a place makes ahead of orders, in one go."""

    item: str
    amount: int
    """Pieces."""
    state: Literal["suggested", "started", "skipped", "ready"]
    starts_at: datetime
    """When to begin, or when it was begun."""
    ends_at: datetime
    """When it is ready then, or was."""
    wanted_at: datetime | None
    """When there will be too little of it without; null: it was begun."""
    good_until: datetime


def check_own(place_id: UUID, caller: Caller) -> None:
    """Raise PlaceNotFound where a place asks about another one."""
    if caller.role is Role.PLACE and caller.place_id != place_id:
        raise PlaceNotFound(place_id=str(place_id))


def place_shape(row: Any) -> PlaceInfo:
    """The only place that knows the columns."""
    values = {name: row[name] for name in PlaceInfo.__struct_fields__}
    values["contact"] = from_json(row["contact"])
    values["hours"] = msgspec.convert(from_json(row["hours"]), list[OpenSpan])
    values["recipes"] = msgspec.convert(from_json(row["recipes"]), list[RecipeShape])
    return PlaceInfo(**values)


def columns_of(data: NewPlace) -> tuple[Any, ...]:
    """As the queries take them, from `external_id` on; raises BadInput where hours or recipes make no sense."""
    try:
        hours_from(msgspec.to_builtins(data.hours))
    except ValueError as exc:
        raise BadInput("The hours make no sense.", ("/hours", str(exc))) from exc
    items = [recipe.item for recipe in data.recipes]
    if len(set(items)) < len(items):
        raise BadInput("There are two recipes for one thing.", ("/recipes", "expected each item once"))
    for n, recipe in enumerate(data.recipes):
        if recipe.ahead_minutes is not None and not recipe.shelf_life_minutes:
            pointer = f"/recipes/{n}/shelf_life_minutes"
            raise BadInput("What is made ahead keeps for a while.", (pointer, "expected 1 or more with ahead_minutes"))
    return (
        *(data.external_id, data.name, data.lat, data.lon, data.address),
        None if data.contact is None else to_json(data.contact),
        *(data.instructions, to_json(data.hours), data.capacity, data.prepare_s, to_json(data.recipes), data.max_queue),
    )


def patched(place: PlaceInfo, patch: PlacePatch) -> tuple[NewPlace, list[str]]:
    """The place with the changes, and their names."""
    names = [name for name in PlacePatch.__struct_fields__ if name != "version"]
    wanted = {name: value for name in names if (value := getattr(patch, name)) is not UNSET}
    return NewPlace(**{name: getattr(place, name) for name in names} | wanted), sorted(wanted)


Some = TypeVar("Some", bound=PlaceInfo)


def with_version(shape: Some, *, status: int = 200) -> Response[Some]:
    """A place with its version as ETag."""
    return Response(shape, status_code=status, headers={"ETag": f'"{shape.version}"'})
