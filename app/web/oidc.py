"""
An OpenID Connect provider whose people may sign in: authorization code with PKCE (RFC 7636), by discovery.

The provider is somebody else's: every question has a timeout, a bound on the answer and on how many are asked at once,
and what it published is remembered. While it is away nobody signs in by it; who has a password here does.
"""

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
"""Of one question."""
ANSWER_S: Final = 12.0
"""Of all that one person's sign-in asks, waiting for a turn included."""
LARGEST: Final = 512 * 1024
"""Bytes of an answer."""
AT_ONCE: Final = 8
FRESH_S: Final = 3600.0
"""So long what the provider published of itself is believed."""
AGAIN_S: Final = 30.0
"""Sooner it is not asked for new keys, whatever key somebody names."""
SKEW_S: Final = 60
"""By which its clock may differ from ours."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""With a public key only: a token that the client's own secret signed proves less."""


class ProviderUnavailable(Exception):
    """The identity provider does not answer as it should."""


class ProofRefused(Exception):
    """What came back is no proof of who somebody is."""


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3); the rest is left."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """What a code is exchanged for."""

    id_token: str
    access_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a browser keeps between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """256 random bits each."""
        return cls(state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(32))

    @classmethod
    def of_cookie(cls, text: str | None) -> "Attempt | None":
        """As `cookie` wrote it."""
        parts = (text or "").split(".")
        return cls(state=parts[0], nonce=parts[1], verifier=parts[2]) if len(parts) == 3 and all(parts) else None

    @property
    def cookie(self) -> str:
        """Its value: the three are of letters that a cookie may have, and no point."""
        return f"{self.state}.{self.nonce}.{self.verifier}"

    @property
    def challenge(self) -> str:
        """S256 of the verifier (RFC 7636, section 4.2)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Provider:
    """Asks it. One per process."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._learning = asyncio.Lock()

    async def address(self, attempt: Attempt, back: str) -> str:
        """Where the browser goes to; raises ProviderUnavailable."""
        async with self._patience():
            metadata = await self._known()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": back,
            "scope": self._settings.oidc_scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(metadata.authorization_endpoint, asked)

    async def way_out(self, back: str) -> str | None:
        """Where the provider ends its own session; None: nowhere. Raises ProviderUnavailable."""
        async with self._patience():
            metadata = await self._known()
        if metadata.end_session_endpoint is None:
            return None
        asked = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": back}
        return _with_query(metadata.end_session_endpoint, asked)

    async def claims(self, attempt: Attempt, code: str, back: str) -> Mapping[str, Any]:
        """Of the person who came back with the code; raises ProviderUnavailable or ProofRefused."""
        async with self._patience():
            metadata = await self._known()
            tokens = await self._exchange(metadata, attempt, code, back)
            proven = await self._proven(metadata, tokens.id_token, attempt.nonce)
            if metadata.userinfo_endpoint is None or tokens.access_token is None:
                return proven
            said = await self._get(metadata.userinfo_endpoint, {"Authorization": f"Bearer {tokens.access_token}"})
        more: Any = _decoded(said, dict[str, Any])
        if more.get("sub") != proven["sub"]:
            raise ProofRefused("what it tells of the person is somebody else's")
        return {**more, **proven}

    async def _exchange(self, metadata: Metadata, attempt: Attempt, code: str, back: str) -> Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
            "client_id": self._settings.oidc_client_id,
        }
        secret = self._settings.oidc_client_secret
        auth = httpx.BasicAuth(self._settings.oidc_client_id, secret) if secret else None
        request = self._client.build_request("POST", metadata.token_endpoint, data=form)
        status, body = await self._answer(request, auth)
        if 400 <= status < 500:
            raise ProofRefused(f"the code was refused with {status}")
        if status != 200:
            raise ProviderUnavailable(f"the code was answered with {status}")
        tokens: Tokens = _decoded(body, Tokens)
        return tokens

    async def _proven(self, metadata: Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token that the provider signed for us, for this attempt, and that has not expired."""
        rules = jwt.JWTClaimsRegistry(
            leeway=SKEW_S,
            iss={"essential": True, "value": metadata.issuer},
            aud={"essential": True, "value": self._settings.oidc_client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                token = jwt.decode(id_token, await self._known_keys(metadata), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # It may sign with a key that is new to us.
                token = jwt.decode(id_token, await self._known_keys(metadata, anew=True), algorithms=ALGORITHMS)
            rules.validate(token.claims)
        except (JoseError, ValueError, TypeError, KeyError) as exc:
            raise ProofRefused(f"the token of identity is no proof: {exc}") from exc
        if token.claims.get("azp", self._settings.oidc_client_id) != self._settings.oidc_client_id:
            raise ProofRefused("the token of identity is another program's")
        return token.claims

    async def _known(self) -> Metadata:
        async with self._learning:
            if self._metadata is not None and monotonic() < self._metadata[0]:
                return self._metadata[1]
            issuer = self._settings.oidc_issuer.rstrip("/")
            found: Metadata = _decoded(await self._get(f"{issuer}/.well-known/openid-configuration"), Metadata)
            if found.issuer.rstrip("/") != issuer:
                raise ProviderUnavailable(f"it says that it is {found.issuer}")
            for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                if urlsplit(address).scheme not in {"https", urlsplit(issuer).scheme}:
                    raise ProviderUnavailable("it names an address that is not encrypted")
            self._metadata = monotonic() + FRESH_S, found
            return found

    async def _known_keys(self, metadata: Metadata, *, anew: bool = False) -> KeySet:
        async with self._learning:
            now = monotonic()
            if self._keys is not None and now < self._keys[0] + (AGAIN_S if anew else FRESH_S):
                return self._keys[1]
            keys = KeySet.import_key_set(_decoded(await self._get(metadata.jwks_uri), dict[str, Any]))
            self._keys = now, keys
            return keys

    async def _get(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        status, body = await self._answer(self._client.build_request("GET", address, headers=headers))
        if status != 200:
            raise ProviderUnavailable(f"{urlsplit(address).path} was answered with {status}")
        return body

    async def _answer(self, request: httpx.Request, auth: httpx.Auth | None = None) -> tuple[int, bytes]:
        request.headers["Accept"] = "application/json"
        try:
            response = await self._client.send(request, auth=auth, stream=True)
            try:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        raise ProviderUnavailable("its answer is too large")
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise ProviderUnavailable(f"{type(exc).__name__}: {exc}") from exc
        return response.status_code, bytes(body)

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """A turn, and all that is asked in it, within ANSWER_S."""
        try:
            async with asyncio.timeout(ANSWER_S), self._turns:
                yield
        except TimeoutError as exc:
            raise ProviderUnavailable("it takes too long") from exc


def _decoded(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ProviderUnavailable(f"its answer cannot be read: {exc}") from exc


def _with_query(address: str, asked: Mapping[str, str]) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"
