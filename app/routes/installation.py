"""The installation itself: whether it is fit to run, and how long it keeps what."""

from dataclasses import fields
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get
from litestar.datastructures import State

from app.settings import Settings, meanings_of, variable_of
from app.web.auth import Role, requires
from app.web.dependencies import CurrentSettings
from app.web.pages import Page
from app.wiring.checkup import Checkup


class Finding(msgspec.Struct, kw_only=True):
    """Something that was looked at."""

    what: str
    found: str
    ok: bool
    mend: str
    """What mends it; empty: nothing needs to be."""


class Check(msgspec.Struct, kw_only=True):
    """What `postrider check` says."""

    at: datetime
    ok: bool
    """All of it."""
    items: list[Finding]


class Kept(msgspec.Struct, kw_only=True):
    """How long something is kept."""

    setting: str
    """Where it is set."""
    days: int
    description: str


@get("/v1/installation/check", guards=[requires(Role.ADMIN)], tags=["installation"])
async def check_installation(state: State) -> Response[Check]:
    """Whether the installation is fit to run, as `postrider check` says; of some seconds ago at most."""
    checkup: Checkup = state.checkup
    looked = await checkup.looked()
    items = [Finding(what=one.what, found=one.found, ok=one.ok, mend=one.mend) for one in looked.results]
    found = Check(at=looked.at, ok=all(one.ok for one in items), items=items)
    return Response(found, headers={"cache-control": "no-store"})


@get("/v1/installation/retention", guards=[requires(Role.ADMIN, Role.AUDITOR)], tags=["installation"])
async def list_retention(installation: CurrentSettings) -> Page[Kept]:
    """How long what is kept; deploy/privacy.md says more."""
    meanings = meanings_of(Settings)
    return Page(
        items=[
            Kept(setting=variable_of(one.name), days=getattr(installation, one.name), description=meanings[one.name])
            for one in fields(Settings)
            if one.name.startswith("retention_")
        ]
    )


route_handlers: list[Any] = [check_installation, list_retention]
