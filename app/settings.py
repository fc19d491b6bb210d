"""Settings of the program: read once from the environment, then passed down as values."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from ipaddress import ip_network
from math import inf
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from uuid import UUID

URL_NAMES = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}
"""Two settings bear the names that every hosting platform uses; all others are `POSTRIDER_<FIELD>`."""


SHORTEST_IDLE_S: Final = 120
"""An API process tells now and then only which sessions were used."""


class SettingError(ValueError):
    """A setting cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every knob, with its unit in its name. `NAME_FILE` holds the path of a file to read the value from (secrets)."""

    database_url: str = ""
    """PostgreSQL or TimescaleDB; empty: `postrider up` starts an embedded PostgreSQL. Several hosts are tried in turn:
    `…@first:5432,second:5432/postrider?target_session_attrs=primary` finds the one that takes writes."""
    database_read_url: str = ""
    """A read replica, which tracks, exports and reports are read from; empty: from the database itself."""
    database_read_lag_s: float = 10.0
    """What is further behind than this is not read: until it has caught up, the database itself answers."""
    database_shared_session: bool = False
    """All clients share one database session (TimescaleDB in WebAssembly): no prepared statements."""
    database_pooler: bool = False
    """A pooler in transaction mode (PgBouncer) stands between: no prepared statements, nothing kept in a session."""
    database_pool_size: int = 8
    """Connections each process keeps at most."""
    redis_url: str = ""
    """Redis 7 or a server that speaks its protocol, with AOF on; empty: `postrider up` starts an embedded one.
    Sentinels find it by a name: `redis+sentinel://:password@first:26379,second:26379/name`; of a cluster some servers
    are named: `redis+cluster://:password@first:6379,second:6379`."""
    redis_pool_size: int = 32
    """Redis connections each process keeps at most for commands, to each server; more commands wait for one."""
    redis_waiting_size: int = 300
    """The same for reads that wait for news: the writer has one a region, all other readers one in all; on a cluster
    these, too, have one a region."""
    redis_replicas: int = 0
    """Replicas of Redis that must have a position before it is answered 2xx, so that a failover loses none; 0: none."""
    redis_replicas_within_s: float = 1.0
    """They must have it by then, or the upload is answered 503 and comes again; no matter with 0 replicas."""
    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: int = 8080
    """Port the API listens on."""
    metrics_port: int = 0
    """Port on which a role serves /metrics and /health/*, the API apart from its own port; 0: none."""
    api_workers: int = 1
    """API processes on this machine."""
    api_connections: int = 16_384
    """Connections one API process serves at a time, idle ones included; more wait until one ends."""
    request_head_s: float = 75.0
    """The head of a request must have come by then: silent and idle connections end. Longer than a proxy keeps them."""
    request_body_s: float = 30.0
    """The body of a request must have come by then, or it is answered 408."""
    grpc_port: int = 0
    """Port of the gRPC server for couriers' apps and gateways of trackers, on the same address; 0: none."""
    grpc_streams: int = 5_000
    """Streams it has open at a time; a further one is refused, and may be tried again."""
    mqtt_port: int = 0
    """Port of the MQTT server for phones and for brokers that bridge to us, on the same address; 0: none."""
    mqtt_clients: int = 10_000
    """Clients it has connected at a time; a further one is told to come again."""
    doors_tls_cert: str = ""
    """File of the certificate for gRPC and MQTT, PEM, with those above it; empty: no TLS. Read anew when it changes."""
    doors_tls_key: str = ""
    """File of the certificate's key, PEM."""
    data_dir: Path = Path(".postrider")
    """Folder of the embedded servers and of `admin.token`."""
    engine: str = "postgres"
    """Embedded database: `postgres`, or `timescale` for TimescaleDB in WebAssembly."""
    retention_raw_days: int = 30
    """Every fix is kept so long; at least 9."""
    retention_1m_days: int = 90
    """Tracks by minute are kept so long."""
    retention_1h_days: int = 365
    """Tracks by hour, and speeds by place, are kept so long."""
    retention_findings_days: int = 365
    """Stays, fence events, arrivals at stops, alerts that are over, and shifts are kept so long."""
    retention_contacts_days: int = 90
    """Contacts, addresses, instructions, proofs and comments of closed orders are kept so long."""
    retention_orders_days: int = 730
    """Closed orders, with all that became of them, are kept so long."""
    retention_events_days: int = 7
    """Events for other systems are kept so long, sent or not, with what came of each attempt."""
    retention_audit_days: int = 730
    """Who did and who looked at what, and tokens that work no more, are kept so long."""
    retention_pay_days: int = 3650
    """What couriers earned, with the facts it was made of, is kept so long."""
    otlp_url: str = ""
    """Collector of OpenTelemetry for traces, `http://host:4318`; needs `postrider[trace]`; empty: there are none."""
    trace_share: float = 0.1
    """Of the traces so many are kept, 0 to 1, chosen by their id: the same in every role."""
    webhooks_private: bool = False
    """Webhooks may go to addresses of private networks too; only where all administrators may reach those anyway."""
    rabbitmq_url: str = ""
    """RabbitMQ for events and orders, as `amqp://user:password@host/vhost`; needs `postrider[rabbitmq]`."""
    rabbitmq_exchange: str = "postrider.events"
    """Topic exchange of the events; the routing key is an event's type."""
    rabbitmq_queue: str = "postrider.commands"
    """Queue from which orders come; made as a quorum queue where it is not there."""
    kafka_servers: str = ""
    """Kafka for events and orders: `host:port`, several separated by spaces; needs `postrider[kafka]`."""
    kafka_security: str = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    kafka_mechanism: str = "SCRAM-SHA-512"
    """With SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    kafka_user: str = ""
    """With SASL."""
    kafka_password: str = field(default="", repr=False)
    """With SASL."""
    kafka_events: str = "postrider.events"
    """Topic of the events; the key is an event's subject."""
    kafka_commands: str = "postrider.commands"
    """Topic from which orders come."""
    kafka_dead_letters: str = "postrider.commands.dead"
    """Topic of commands that could have no effect."""
    mqtt_url: str = ""
    """MQTT broker for events, as `mqtt://user:password@host:1883/topic`, or `mqtts`; needs `postrider[mqtt]`."""
    broker_positions_s: int = 0
    """Brokers are told where each courier is at most once in so many seconds, up to 3600; 0: not at all."""
    broker_region: str = ""
    """Brokers are told only of what happens in this region; empty: in all."""
    broker_couriers: str = ""
    """Brokers are told only where these couriers are: our ids, separated by spaces; empty: of all."""
    compress_after_days: int = 2
    """TimescaleDB compresses fixes older than this; late ones still find their place."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    log_json: bool | None = None
    """JSON lines; unset: unless standard error is a terminal."""
    log_requests: bool = False
    """A line for each answered request, with route, status and time; uploads of positions have none."""
    token_cache_s: float = 15.0
    """How long an API process trusts what it knows of a token; a revoked token works no longer than this."""
    online_within_s: float = 60.0
    """A courier whose last fix is younger is online."""
    stale_within_s: float = 600.0
    """A courier whose last fix is younger (and not online) is stale; older is offline."""
    offer_for_s: float = 60.0
    """How long a courier may think about an offer; then it goes to somebody else."""
    ask_again_after_s: float = 120.0
    """Before that a courier who turned an order down is not asked again, even when nobody else can take it."""
    dispatch_tick_s: float = 5.0
    """The dispatcher plans so often when nothing happens."""
    dispatch_lease_s: float = 8.0
    """So long after a dispatcher crashed another may take over its regions."""
    dispatch_large_from: int = 600
    """Couriers at work and open orders of the next hours from which a region is planned in a process apart; 0: none."""
    dispatch_planners: int = 4
    """Processes that plan parts of large regions side by side, at most as many as there are cores but one; 0: none."""
    watch_tick_s: float = 5.0
    """The watcher looks for silent, late and stuck couriers so often."""
    watch_lease_s: float = 8.0
    """So long after a watcher crashed another may take over its regions."""
    dispatch_profile: str = "quick"
    """What the planner aims at, where a region does not say: `meal`, `parcel` or `quick`."""
    dispatch_search_s: float = 2.0
    """Time for the search that improves the plan after offers are made; 0: none."""
    public_url: str = ""
    """Where recipients reach the API, for links in messages, such as `https://track.example.com`; empty: no links."""
    pictures: str = ""
    """Where photos and signatures are kept: a folder, or `s3://bucket/prefix`; empty: in the database."""
    s3_endpoint: str = ""
    """Address of what speaks as S3 does; empty: Amazon's."""
    s3_region: str = ""
    """Region of the bucket."""
    s3_key: str = ""
    """Access key id; empty: as the machine has it (instance role, environment)."""
    s3_secret: str = field(default="", repr=False)
    """Its secret."""
    request_body_limit_bytes: int = 8_000_000
    """Largest request body, after decompression."""
    batch_limit_fixes: int = 10_000
    """Most fixes in one upload."""
    rate_courier: int = 12_000
    """Requests a minute that one courier's device may make; 0: any number. Beyond a rate the answer is 429."""
    rate_staff: int = 12_000
    """The same for one token of the staff."""
    rate_service: int = 1_200_000
    """The same for one token of a service or an administrator."""
    rate_address: int = 1_800_000
    """The same for one address: 10,000 phones behind it send 600,000 a minute, one a second each."""
    rate_sign_in: int = 120
    """The same for signing in, from one address."""
    rate_password: int = 20
    """The same for passwords and second factors of one name from one address; from all addresses ten times that."""
    session_s: float = 43_200.0
    """A session on the page is over so long after signing in."""
    session_idle_s: float = 7_200.0
    """And when the page asked for nothing for so long; at least two minutes."""
    oidc_issuer: str = ""
    """Address of the OpenID Connect provider whose people may sign in, such as `https://id.example.org/realms/staff`."""
    oidc_client_id: str = "postrider"
    """How the provider knows us; the address to come back to is `/v1/sign-in/oidc/callback`."""
    oidc_client_secret: str = field(default="", repr=False)
    """Secret of the client; none for a public one, which PKCE protects."""
    oidc_title: str = ""
    """What the page calls the provider: "Sign in with …"; its host, where nothing is set."""
    oidc_scopes: str = "openid profile email"
    """What is asked of the provider."""
    oidc_name_claim: str = "preferred_username"
    """The claim that names a person; it must be unique there, and not be a name that somebody has here."""
    oidc_role_claim: str = "roles"
    """The claim with the role or the roles, the highest counts; `realm_access.roles` is one within another."""
    oidc_roles: str = ""
    """The provider's names of roles: `staff=dispatcher boss=admin`. Without it they are ours. Who has none of them
    does not come in."""
    oidc_regions_claim: str = "regions"
    """The claim with the regions a person sees and handles; who has no such claim: all."""
    oidc_partner_claim: str = "partner"
    """The claim with the partner whose orders and couriers a person sees and handles; who has none: everybody's."""
    trusted_proxies: str = ""
    """Addresses or networks of our proxies, separated by spaces: they say in `X-Forwarded-For` whom they speak for."""
    quarantine_courier_bytes: int = 262_144
    """Of what cannot be used so many bytes a courier and minute are kept (some 1,000 fixes); the rest is counted."""
    quarantine_bytes: int = 16_777_216
    """The same of all couriers together, in each API process."""
    fix_ahead_s: float = 120.0
    """A fix this far in the future still passes; a later one is quarantined."""
    fix_oldest_s: float = 604_800.0
    """An older fix is quarantined. `POSTRIDER_RETENTION_RAW_DAYS` must be at least two days longer."""
    poor_accuracy_m: float = 200.0
    """A fix with a larger radius is stored with a mark, and left out of live state and analysis."""
    jump_speed_mps: float = 60.0
    """Faster than this between neighbouring fixes is a jump: stored with a mark, left out of analysis."""
    jump_slack_m: float = 100.0
    """A distance that is never a jump."""
    log_limit_fixes: int = 5_000_000
    """Fixes a region's log may hold unread (60 to 113 bytes each, by how many came at once); beyond it: 503."""
    waiting_limit_fixes: int = 50_000
    """Fixes that may wait in an API process for the next round trip to Redis; beyond it uploads are answered 503."""
    writer_takeover_s: float = 6.0
    """Log entries that a writer got and did not store for so long are taken over by another: that writer is dead."""
    log_keep_s: float = 300.0
    """How long log entries stay after everybody has read them, so that a live viewer can resume."""
    log_reader_absent_s: float = 3600.0
    """A role that reads the log and has not read for so long loses its place in it, so that uploads go on."""
    map_style_url: str = ""
    """MapLibre style for the live map; empty: the built-in outline that needs no internet."""
    map_tiles: str = ""
    """File of the installation's own street tiles, made by `postrider map`; a style URL wins over it."""
    demo_osm: str = ""
    """Cut-out of OpenStreetMap that `postrider demo` lives in; empty: one that is at hand, else a made-up town."""
    demo: bool = False
    """The live map has a button that breaks something, and the API what it asks: `postrider demo` sets it."""
    map_attribution: str = ""
    """Shown on the map; required by most tile providers."""
    map_hosts: str = ""
    """Further hosts the map may load tiles, glyphs and sprites from, as `https://host` separated by spaces."""
    geocoders: str = "own,nominatim,google,yandex"
    """Who finds addresses, in the order they are asked; `own`: the file beside the tiles."""
    nominatim_url: str = ""
    """Address of a Nominatim; the public one allows a request a second, so run one of your own."""
    live_tick_s: float = 1.0
    """The live stream sends changes at most so often."""
    travel_engines: str = "osrm,valhalla,google,yandex"
    """Maps APIs in the order they are asked; those without an address or a key are left out."""
    osrm_url: str = ""
    """osrm-routed: one address for every mode, or `car=http://…,bicycle=http://…`; a motorcycle goes where cars go."""
    valhalla_url: str = ""
    """Address of a Valhalla service; it serves every mode."""
    google_key: str = field(default="", repr=False)
    """Key of the Google Routes API, and of its geocoder."""
    yandex_key: str = field(default="", repr=False)
    """Key of the Yandex Distance Matrix and Router APIs, and of its geocoder."""
    travel_timeout_s: float = 2.0
    """One request to a maps API may take so long."""
    travel_recovery_s: float = 5.0
    """A maps API that failed five times in a row is left alone so long, then tried by one request."""
    maps_requests_per_minute: int = 600
    """Requests to Google and to Yandex each, by all processes together; 0: no limit."""
    maps_requests_per_day: int = 50_000
    """The same per UTC day; 0: no limit."""
    maps_spend_per_minute: float = 5.0
    """Money for Google and for Yandex each per minute, in the currency of the price; 0: no limit."""
    maps_spend_per_day: float = 100.0
    """The same per UTC day; 0: no limit."""
    maps_price_per_1000: float = 10.0
    """Price of 1,000 pairs of a matrix, to count what is spent."""

    def __post_init__(self) -> None:
        """Raises SettingError where one setting does not fit another."""
        days = [
            self.fix_oldest_s / 86_400 + 2, self.retention_raw_days, self.retention_1m_days, self.retention_1h_days
        ]  # fmt: skip
        if days != sorted(days):
            raise SettingError(
                "expected POSTRIDER_FIX_OLDEST_S + 2 days <= POSTRIDER_RETENTION_RAW_DAYS "
                f"<= POSTRIDER_RETENTION_1M_DAYS <= POSTRIDER_RETENTION_1H_DAYS, got {days[0] - 2:g}, "
                f"{', '.join(f'{one:g}' for one in days[1:])} days"
            )
        if bool(self.doors_tls_cert) != bool(self.doors_tls_key):
            raise SettingError("expected POSTRIDER_DOORS_TLS_CERT and POSTRIDER_DOORS_TLS_KEY, or neither")
        if self.session_idle_s < SHORTEST_IDLE_S:
            raise SettingError(f"POSTRIDER_SESSION_IDLE_S: expected {SHORTEST_IDLE_S} or more")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """
        Read every field from its environment variable, or its default.

        Raises SettingError naming the variable and what was expected.
        """
        values: dict[str, object] = {}
        for one in fields(cls):
            name = variable_of(one.name)
            raw = environ.get(name)
            if raw is None and (path := environ.get(f"{name}_FILE")):
                try:
                    raw = Path(path).read_text().strip()
                except (OSError, UnicodeDecodeError) as exc:
                    raise SettingError(f"{name}_FILE: cannot read {path}: {exc}") from exc
            if raw is not None:
                values[one.name] = _parse(name, raw, one.type)
                _check(one.name, name, values[one.name])
        return cls(**values)  # type: ignore[arg-type]  # _parse returns the field's own type


def variable_of(field_name: str) -> str:
    """The environment variable of a field."""
    return URL_NAMES.get(field_name, f"POSTRIDER_{field_name.upper()}")


def _parse(name: str, raw: str, wanted: object) -> object:
    try:
        match wanted:
            case _ if wanted is bool or wanted == bool | None:
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[raw.lower()]
            case _ if wanted is int:
                return int(raw)
            case _ if wanted is float:
                return float(raw)
            case _ if wanted is Path:
                return Path(raw)
            case _:
                return raw
    except (KeyError, ValueError) as exc:
        raise SettingError(f"{name}: expected {getattr(wanted, '__name__', wanted)}, got {raw!r}") from exc


CHOICES: Final[Mapping[str, Collection[str]]] = {
    "engine": ("postgres", "timescale"),
    "kafka_security": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "kafka_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    "dispatch_profile": ("meal", "parcel", "quick"),
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
}
SCHEMES: Final[Mapping[str, Sequence[str]]] = {
    "database_url": ("postgresql", "postgres"),
    "database_read_url": ("postgresql", "postgres"),
    "redis_url": (
        "redis",
        "rediss",
        "unix",
        *(f"{base}+{kind}" for kind in ("sentinel", "cluster") for base in ("redis", "rediss")),
    ),
    "rabbitmq_url": ("amqp", "amqps"),
    "mqtt_url": ("mqtt", "mqtts"),
    "valhalla_url": ("http", "https"),
    "nominatim_url": ("http", "https"),
    "otlp_url": ("http", "https"),
    "s3_endpoint": ("http", "https"),
    "oidc_issuer": ("http", "https"),
    "public_url": ("http", "https"),
}
SEVERAL_HOSTS: Final = ("database_url", "database_read_url")
AT_LEAST_ONE: Final = (
    *("api_workers", "api_connections", "database_pool_size", "redis_pool_size", "redis_waiting_size"),
    *("grpc_streams", "mqtt_clients"),
)
PARTS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "trusted_proxies": (partial(ip_network, strict=False), "addresses or networks such as 10.0.0.0/8"),
    "broker_couriers": (UUID, "ids of couriers"),
}
"""Of settings with several parts, how each of them is read."""
OIDC_ROLE: Final = r"\S+=(viewer|auditor|support|dispatcher|admin)"
LAST_PORT: Final = 65_535
AT_MOST: Final[Mapping[str, int]] = {
    **dict.fromkeys(("port", "metrics_port", "grpc_port", "mqtt_port"), LAST_PORT),
    "trace_share": 1,
}


def _check(field_name: str, name: str, value: object) -> None:
    """Raises SettingError for a value of the right type that cannot be meant."""
    if field_name in CHOICES and str(value).upper() not in {one.upper() for one in CHOICES[field_name]}:
        raise SettingError(f"{name}: expected one of {', '.join(CHOICES[field_name])}, got {value!r}")
    if field_name in SCHEMES and value:
        _check_address(field_name, name, str(value))
    if field_name == "oidc_roles" and not all(re.fullmatch(OIDC_ROLE, pair) for pair in str(value).split()):
        raise SettingError(f"{name}: expected pairs such as boss=admin, of viewer, auditor, support, dispatcher, admin")
    if field_name in PARTS:
        read, wanted = PARTS[field_name]
        for part in str(value).split():
            try:
                read(part)
            except ValueError as exc:
                raise SettingError(f"{name}: expected {wanted}: {exc}") from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        least = 1 if field_name in AT_LEAST_ONE else 0
        if not (least <= value < inf):
            raise SettingError(f"{name}: expected {least} or more, got {value}")
        if value > (most := AT_MOST.get(field_name, inf)):
            raise SettingError(f"{name}: expected at most {most}, got {value}")


def _check_address(field_name: str, name: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        hosts = parts.netloc.rpartition("@")[2]
        several = field_name in SEVERAL_HOSTS or parts.scheme.endswith(("+sentinel", "+cluster"))
        for host in hosts.split(",") if several else [hosts]:
            _ = parts._replace(netloc=host).port
    except ValueError as exc:
        raise SettingError(f"{name}: cannot be read as an address: {exc}") from None
    if parts.scheme not in SCHEMES[field_name]:
        raise SettingError(f"{name}: expected an address that begins with {SCHEMES[field_name][0]}://")
    if parts.scheme.endswith("+cluster") and parts.path.strip("/") not in {"", "0"}:
        raise SettingError(f"{name}: a Redis Cluster has database 0 only: expected nothing after the hosts")


def table() -> str:
    """The settings as a Markdown table, for the README: variable, default, meaning."""
    meaning = meanings_of(Settings)
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for one in fields(Settings):
        default = "" if one.default in ("", None) else f"`{one.default}`"
        rows.append(f"| `{variable_of(one.name)}` | {default} | {meaning[one.name].replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def meanings_of(kind: type) -> dict[str, str]:
    """What each field of a class means, those it inherits among them: the docstring below it."""
    inherited = [meanings_of(base) for base in kind.__bases__ if is_dataclass(base)]
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    own = {
        node.target.id: " ".join(str(following.value.value).split())
        for node, following in zip(body.body, body.body[1:], strict=False)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
    }
    return {name: meaning for meanings in (*inherited, own) for name, meaning in meanings.items()}
