"""The permission table: every route with who may use it, and how far; read from the routes themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from app.web.auth import STAFF_RANK, Role, requires_any, requires_courier
from app.web.reach import MUST_NAME, Hold, hold_of, is_for_partners


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Who may use a route."""

    method: str
    path: str
    handler: BaseRouteHandler
    roles: frozenset[Role]
    hold: Hold
    """How people with bounds are held to them."""
    is_for_partners: bool


def permissions(app: Litestar) -> Iterator[Permission]:
    """Of every route that is not public, by path and method."""
    for route in sorted(app.routes, key=lambda route: route.path):
        found = [one for one in getattr(route, "route_handlers", ()) if isinstance(one, HTTPRouteHandler)]
        for handler in sorted(found, key=lambda one: sorted(one.http_methods)):
            if not handler.opt.get("public", False):
                parameters = handler.parsed_fn_signature.parameters
                for method in sorted(handler.http_methods - {"OPTIONS"}):
                    hold = hold_of(method, route.path, parameters)
                    yield Permission(
                        method=method,
                        path=route.path,
                        handler=handler,
                        roles=roles_of(handler),
                        hold=hold,
                        is_for_partners=hold is not Hold.CLOSED and is_for_partners(method, route.path),
                    )


def roles_of(handler: BaseRouteHandler) -> frozenset[Role]:
    """Whom its guards let through."""
    allowed = frozenset(Role)
    for guard in handler.guards or ():
        if guard is requires_courier:
            allowed &= {Role.COURIER}
        elif guard is requires_any:
            allowed -= {Role.PLACE}
        else:
            least = STAFF_RANK[getattr(guard, "postrider_role")]  # noqa: B009 - mypy knows no such attribute
            also = getattr(guard, "postrider_also", ())
            allowed &= {role for role in Role if STAFF_RANK.get(role, 0) >= least or role in also}
    return allowed


def table(app: Litestar) -> str:
    """All of it as a Markdown table."""
    roles = [role for role in Role if role is not Role.SERVICE]
    head = [
        "| route | " + " | ".join(roles) + " | people of a region | of a partner |",
        "|---|" + "---|" * (len(roles) + 2),
    ]
    rows = [
        f"| `{one.method} {one.path}` | "
        + " | ".join("yes" if role in one.roles else "" for role in roles)
        + f" | {_region(one)} | {_partner(one)} |"
        for one in sorted(permissions(app), key=lambda one: (one.path, one.method))
    ]
    return "\n".join([*head, *rows])


def _region(one: Permission) -> str:
    match one.hold:
        case Hold.CLOSED:
            return ""
        case Hold.FREE:
            return "yes"
        case _:
            return "theirs"


def _partner(one: Permission) -> str:
    if not one.is_for_partners:
        return ""
    if one.path in MUST_NAME:
        return "of one of theirs"
    return "yes" if one.hold is Hold.FREE else "theirs"
