"""Every route × role × region × partner: who is let through, by the guards and the reach that the API itself asks."""

import re
from types import SimpleNamespace
from uuid import UUID

import pytest
from litestar.exceptions import NotFoundException, PermissionDeniedException

from app.web.auth import Caller, Role
from app.web.permissions import permissions
from app.web.problems import BadInput
from app.web.reach import (
    MUST_NAME,
    NAMED,
    Hold,
    Reach,
    begin_reach,
    current_reach,
    hold,
    must_reach,
    partner_within_reach,
)
from app.web.regions import known_region
from tests.described import described

ALL = list(permissions(described()))
SOMETHING = UUID("00000000-0000-4000-8000-000000000000")
STAFF = {Role.VIEWER: 1, Role.AUDITOR: 1, Role.SUPPORT: 2, Role.DISPATCHER: 3, Role.SERVICE: 3, Role.ADMIN: 4}
REACHES = [
    Reach(regions=regions, partner=partner)
    for regions in ((), ("porto",), ("oslo",), ("porto", "oslo"))
    for partner in (None, "acme", "other")
    if regions or partner
]
OWN = ("/v1/me", "/v1/sessions", "/v1/presence")


class World:
    """A database in which everything that is named lies in Porto and is Acme's."""

    async def fetchrow(self, *_):
        return {"region": "porto", "partner": "acme"}

    async def fetch(self, *_):
        return [{"id": "oslo"}, {"id": "porto"}]


def params_of(path):
    kinds = {"uuid": SOMETHING, "int": 1, "str": "porto"}
    return {name: kinds[kind] for name, kind in re.findall(r"\{(\w+):(\w+)\}", path)}


async def passes_guards(one, role):
    courier_id = SOMETHING if role is Role.COURIER else None
    caller = Caller(token_id=SOMETHING, role=role, name="", courier_id=courier_id)
    try:
        for guard in one.handler.guards:
            await guard(SimpleNamespace(user=caller), one.handler)
    except PermissionDeniedException:
        return False
    return True


async def is_within(one, reach, query):
    try:
        await hold(World(), reach, one.method, one.handler, params_of(one.path), query)
    except (PermissionDeniedException, NotFoundException, BadInput):
        return False
    return True


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.method} {one.path}")
async def test_who_is_let_through(one):
    let_through = {role for role in Role if await passes_guards(one, role)}
    assert let_through == one.roles, "the table tells what the guards do"
    least = min((STAFF[role] for role in one.roles & STAFF.keys() - {Role.AUDITOR}), default=None)
    if least is not None:
        assert {role for role in STAFF if STAFF[role] >= least} <= one.roles | {Role.AUDITOR}
    if Role.AUDITOR in one.roles and one.method != "GET" and Role.COURIER not in one.roles:
        assert one.path.startswith(OWN), "an auditor changes nothing but what is their own"
    for reach in REACHES:
        in_porto, is_acme = not reach.regions or "porto" in reach.regions, reach.partner in {None, "acme"}
        named = [("courier_id", str(SOMETHING))] if one.path in MUST_NAME else []
        asks = [*named, ("region", "porto")]
        if await is_within(one, reach, asks):
            assert one.hold is not Hold.CLOSED
            assert reach.partner is None or one.is_for_partners
            if one.hold is Hold.NAMED:
                is_whole = "{fence_id" in one.path or "{plan_id" in one.path
                assert in_porto
                assert is_acme or is_whole
            if one.hold is Hold.REGION:
                assert in_porto, "a region that was asked for"
            if "/regions/{name" in one.path:
                assert in_porto
        elif in_porto and is_acme and one.hold is not Hold.CLOSED:
            assert reach.partner is not None, "theirs is not kept from people of a region"
            assert not one.is_for_partners
        if one.hold is Hold.REGION and reach.regions:
            # Asked twice, or for all: whichever the route would take, it is theirs.
            assert not await is_within(one, reach, [*named, ("region", "porto"), ("region", "elsewhere")])
            if len(reach.regions) > 1:
                assert not await is_within(one, reach, named)
        if one.hold is not Hold.CLOSED and not is_acme:
            for name in set(NAMED) - {"fence_id", "plan_id"}:
                assert not await is_within(one, reach, [*asks, (name, str(SOMETHING))]), "another's, in the query"


def test_what_is_closed_to_people_with_bounds_is_what_concerns_everybody():
    closed = {one.path for one in ALL if one.hold is Hold.CLOSED}
    whole = (
        "/v1/audit",
        "/v1/users",
        "/v1/tokens",
        "/v1/webhooks",
        "/v1/channels",
        "/v1/regions",
        "/v1/positions",
        "/v1/installation",
        "/v1/recipients",
    )
    assert [path for path in closed if not path.startswith(whole)] == []
    assert {"/v1/users", "/v1/tokens", "/v1/audit"} <= closed


async def test_a_query_without_a_region_is_held_to_the_only_one():
    (orders,) = [one for one in ALL if (one.method, one.path) == ("GET", "/v1/orders")]
    assert await hold(World(), Reach(regions=("oslo",)), "GET", orders.handler, {}, []) == "oslo"
    assert await hold(World(), Reach(partner="acme"), "GET", orders.handler, {}, []) is None


async def test_bodies_are_held_to_the_reach():
    class Beyond(World):
        async def fetchval(self, *given):
            return given[3:] == (["porto"], "acme")

    try:
        begin_reach(Reach(regions=("porto",), partner="acme"))
        assert await known_region(World(), None) == "porto"
        with pytest.raises(BadInput):
            await known_region(World(), "oslo")
        assert partner_within_reach(None) == "acme"
        with pytest.raises(BadInput):
            partner_within_reach("other")
        with pytest.raises(NotFoundException):
            await must_reach(Beyond(), orders=[SOMETHING])
    finally:
        begin_reach(None)
    assert current_reach() is None
    assert partner_within_reach("other") == "other"
