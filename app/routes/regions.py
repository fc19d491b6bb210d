"""Regions and their settings: `/v1/regions`."""

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, JSONBody

from app.shapes.regions import NewRegion, Region, RegionPatch, facts_of, region_shape, settings_schema
from app.web.announce import announce
from app.web.audit import audit
from app.web.auth import Role, requires
from app.web.dependencies import CurrentCaller, CurrentSettings, Pool, RedisClient
from app.web.idempotency import IdempotencyKey, answered_before, remember_answer
from app.web.pages import Page
from app.web.problems import BadInput
from app.web.regions import within_reach
from app.web.versions import IfMatch, version_of
from app.wiring.params import cycle_of
from dispatch import regions
from dispatch.regions import RegionFacts


@get("/v1/regions", guards=[requires(Role.VIEWER)], tags=["regions"])
async def list_regions(pool: Pool) -> Page[Region]:
    """All of them, by name; there are never so many that they need pages."""
    found = await regions.list_all(pool)
    known = within_reach(one.name for one in found)
    return Page(items=[region_shape(one) for one in found if one.name in known], next=None)


@post("/v1/regions", guards=[requires(Role.ADMIN)], tags=["regions"])
async def add_region(
    data: JSONBody[NewRegion],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    installation: CurrentSettings,
    idempotency_key: IdempotencyKey = None,
) -> Response[Region]:
    """
    Add a region; the running roles take it up within half a minute.

    A name that is in use answers 409; a setting that cannot be used 400 with its pointer.
    """
    facts = facts_of(data)
    _refuse([*regions.name_faults(data.name), *regions.faults_of(facts, cycle_of(installation))])
    async with pool.acquire() as connection, connection.transaction():
        before = await answered_before(connection, caller, idempotency_key, data)
        if before is not None:
            return _with_version(msgspec.convert(before, Region))
        region = region_shape(await regions.add(connection, data.name, facts))
        await audit(connection, caller, "region.add", f"region:{region.name}", {"after": _told(facts)})
        await remember_answer(connection, caller, idempotency_key, 201, region)
    await announce(redis, region.name, "region.changed", {"version": region.version})
    return _with_version(region)


@get("/v1/regions/{name:str}", guards=[requires(Role.VIEWER)], tags=["regions"])
async def get_region(name: FromPath[str], pool: Pool) -> Response[Region]:
    """One region."""
    return _with_version(region_shape(await regions.get(pool, name)))


@patch("/v1/regions/{name:str}", guards=[requires(Role.ADMIN)], tags=["regions"])
async def change_region(
    name: FromPath[str],
    data: JSONBody[RegionPatch],
    pool: Pool,
    redis: RedisClient,
    caller: CurrentCaller,
    installation: CurrentSettings,
    if_match: IfMatch = None,
) -> Response[Region]:
    """
    Change what is given; the rest stays. In force with the next cycle.

    `settings` is a JSON merge patch: null gives a setting back to the installation.
    """
    expected = version_of(if_match, None if data.version is msgspec.UNSET else data.version)
    async with pool.acquire() as connection, connection.transaction():
        before = await regions.lock(connection, name)
        facts = _patched(before.facts, data)
        _refuse(regions.faults_of(_touched(facts, data), cycle_of(installation)))
        changed = await regions.change(connection, name, facts, version=expected or before.version)
        told = {"before": _told(before.facts), "after": _told(facts)}
        await audit(connection, caller, "region.change", f"region:{name}", told)
    await announce(redis, name, "region.changed", {"version": changed.version})
    return _with_version(region_shape(changed))


@get("/v1/regions/{name:str}/settings/schema", guards=[requires(Role.VIEWER)], tags=["regions"])
async def get_settings_schema(name: FromPath[str], pool: Pool, installation: CurrentSettings) -> dict[str, Any]:
    """What can be set of a region, as JSON Schema; the defaults are what is in force where nothing is set."""
    await regions.get(pool, name)
    return settings_schema(cycle_of(installation))


def _patched(facts: RegionFacts, data: RegionPatch) -> RegionFacts:
    given = {n: v for n in ("title", "timezone") if (v := getattr(data, n)) is not msgspec.UNSET}
    if data.boundary is not msgspec.UNSET:
        given["boundary"] = msgspec.to_builtins(data.boundary)
    if data.settings is not msgspec.UNSET:
        given["settings"] = regions.merged(facts.settings, data.settings)
    return replace(facts, **given)


def _touched(facts: RegionFacts, data: RegionPatch) -> RegionFacts:
    """What is to be looked at: something else that was written by other means keeps nobody from mending this."""
    groups = {} if data.settings is msgspec.UNSET else data.settings
    return replace(
        facts,
        timezone="UTC" if data.timezone is msgspec.UNSET else facts.timezone,
        boundary=None if data.boundary is msgspec.UNSET else facts.boundary,
        settings={name: given for name, given in facts.settings.items() if name in groups},
    )


def _refuse(faults: regions.Faults) -> None:
    if faults:
        raise BadInput("Some of what was sent cannot be used; see errors.", *faults)


def _told(facts: RegionFacts) -> dict[str, Any]:
    """For the audit log: of the boundary only which one it was."""
    told = {name: getattr(facts, name) for name in ("title", "timezone", "settings")}
    if facts.boundary is not None:
        told["boundary_sha256"] = hashlib.sha256(msgspec.json.encode(facts.boundary, order="sorted")).hexdigest()
    return told


def _with_version(region: Region) -> Response[Region]:
    return Response(region, headers={"ETag": f'"{region.version}"'})


route_handlers: list[Any] = [list_regions, add_region, get_region, change_region, get_settings_schema]
