"""What an identity provider's claims say of a person. Pure; whatever is unclear is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.settings import Settings
from app.web.auth import PEOPLE, STAFF_RANK, Role

LONGEST_NAME: Final = 200
LONGEST_PARTNER: Final = 100
MOST_REGIONS: Final = 256


class ClaimsRefused(Exception):
    """The identity provider knows the person, and does not let them in here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A person, as the provider has it."""

    subject: str
    name: str
    role: Role
    regions: tuple[str, ...]
    """None: all, where the provider says nothing of regions."""
    partner: str | None


def claimed(claims: Mapping[str, Any], settings: Settings, known_regions: frozenset[str]) -> Claimed:
    """
    Raises ClaimsRefused, with what is missing.

    A claim of regions or of a partner that cannot be read gives nobody more than it was meant to: it lets nobody in.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise ClaimsRefused("no subject")
    name = at(claims, settings.oidc_name_claim)
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ClaimsRefused(f"no name in the claim {settings.oidc_name_claim}")
    return Claimed(
        subject=subject,
        name=name.strip(),
        role=_role(at(claims, settings.oidc_role_claim), settings),
        regions=_regions(at(claims, settings.oidc_regions_claim), known_regions),
        partner=_partner(at(claims, settings.oidc_partner_claim)),
    )


def at(claims: Mapping[str, Any], path: str) -> Any:
    """What stands there: `roles`, or `realm_access.roles` within another; None: nothing does."""
    if path in claims:  # such as https://example.org/roles, with dots of its own
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def roles_of(text: str) -> dict[str, Role]:
    """The setting `staff=dispatcher boss=admin`; raises ValueError. Empty: each role by its own name."""
    people = {role.value: role for role in PEOPLE}
    if not text.strip():
        return people
    known = {}
    for pair in text.split():
        theirs, _, ours = pair.rpartition("=")
        if not theirs or ours not in people:
            raise ValueError(f"expected name=role with a role of {', '.join(people)}, got {pair!r}")
        known[theirs] = people[ours]
    return known


def _role(value: Any, settings: Settings) -> Role:
    known = roles_of(settings.oidc_roles)
    found = [known[one] for one in _texts(value) or () if one in known]
    if not found:
        raise ClaimsRefused(f"no role in the claim {settings.oidc_role_claim}")
    return max(found, key=lambda role: (STAFF_RANK[role], role))


def _regions(value: Any, known: frozenset[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    found = tuple(dict.fromkeys(one for one in _texts(value) or () if one in known))[:MOST_REGIONS]
    if not found:
        raise ClaimsRefused("no region that there is")
    return found


def _partner(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_PARTNER:
        raise ClaimsRefused("a partner that cannot be read")
    return value.strip()


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return None
