"""The command line: `postrider up`, each role by its name, and the tools."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import UUID

import typer

from app import logs
from app.machine.orphan import end_with_parent
from app.settings import SettingError, Settings
from app.web.collector import not_yet_collecting
from app.wiring.child import CHILD_OF

log = logging.getLogger(__name__)

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tracks a courier fleet and dispatches its orders.",
)


def main() -> None:
    """Entry point. What an operator can mend is a line on standard error, not a traceback."""
    # numpy's matrices are small here: threads of OpenBLAS spin for each other, for seven times the processor time, and
    # on a busy machine for ever. Set before numpy is imported; processes that are started by this one have it, too.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        cli()
    except SettingError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except Exception as error:
        from app.machine.complaints import complaint  # noqa: PLC0415 - `postrider --help` must be quick

        words = complaint(error)
        if words is None:
            log.critical("crashed", exc_info=error, extra={"event": "crashed"})
            sys.exit(1)
        typer.echo(words, err=True)
        sys.exit(1)


def _settings(**given: Any) -> Settings:
    from app.machine.in_force import unknown  # noqa: PLC0415

    if CHILD_OF not in os.environ:  # the parent has said it
        for line in unknown(os.environ):
            typer.echo(line, err=True)
    settings = Settings.from_env(os.environ)
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    logs.configure(settings.log_level, settings.log_json)
    return settings


def _run(start: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until SIGINT or SIGTERM sets the event; a second SIGINT ends the program at once."""
    import uvloop  # noqa: PLC0415 - `postrider --help` must be quick

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal(number: int) -> None:
            stop.set()
            loop.remove_signal_handler(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        await start(stop)

    uvloop.run(until_stopped())


Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded servers and of admin.token.")]


@cli.command()
def up(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    role: Annotated[list[str] | None, typer.Option(help="Only this role; may be given again.")] = None,
) -> None:
    """Every role in one process tree, with embedded servers where no URL is set."""
    with not_yet_collecting():
        from app.machine.up import ROLES  # noqa: PLC0415
        from app.machine.up import up as run_all  # noqa: PLC0415

    if wrong := set(role or ()) - set(ROLES):
        raise typer.BadParameter(f"--role {min(wrong)}: expected one of {', '.join(ROLES)}")

    settings = _settings(host=host, port=port, data_dir=data_dir)
    _run(lambda stop: run_all(settings, os.environ, stop, roles=role or ROLES))


@cli.command()
def demo(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    engine: Annotated[str | None, typer.Option(help="postgres, or timescale for TimescaleDB in WebAssembly.")] = None,
    couriers: Annotated[int | None, typer.Option(help="Size of the fleet.")] = None,
) -> None:
    """
    A simulated city on this machine: couriers, orders, and the addresses of the desk and of others' pages.

    POSTRIDER_LOG_LEVEL=INFO tells what its parts do as well; else the addresses stay in sight.
    """
    os.environ.setdefault("POSTRIDER_LOG_LEVEL", "WARNING")
    with not_yet_collecting():
        from app.machine.demo import demo as run_demo  # noqa: PLC0415

    settings = _settings(host=host, port=port, data_dir=data_dir, engine=engine)
    _run(lambda stop: run_demo(settings, os.environ, stop, couriers=couriers))


@cli.command()
def api(host: Host = None, port: Port = None) -> None:
    """The HTTP API."""
    settings = _settings(host=host, port=port)
    with ExitStack() as stack:
        if settings.api_workers > 1:
            stack.enter_context(_metrics_together())

        with not_yet_collecting():
            from app.machine.api import serve  # noqa: PLC0415 - after that: it is when counting begins
            from app.wiring.schema import refuse_unfit  # noqa: PLC0415

        _end_with_parent()
        asyncio.run(refuse_unfit(settings))
        serve(settings)


@contextmanager
def _metrics_together() -> Iterator[None]:
    """The processes that this one starts count together with it, unless whoever started it has seen to that."""
    from app.web.together import MULTIPROCESS, share_metrics  # noqa: PLC0415

    if MULTIPROCESS in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="postrider-metrics-") as folder:
        share_metrics(Path(folder))
        try:
            yield
        finally:
            del os.environ[MULTIPROCESS]


def _end_with_parent() -> None:
    """End this process when `postrider up` dies, be it by kill -9."""
    if CHILD_OF in os.environ:
        end_with_parent(int(os.environ[CHILD_OF]))


def _role(name: str, *, has_children: bool = False) -> Callable[[], None]:
    def command() -> None:
        settings = _settings()
        with ExitStack() as stack:
            if has_children:
                stack.enter_context(_metrics_together())
            with not_yet_collecting():
                from app import roles  # noqa: PLC0415 - after that: it is when counting begins

            _end_with_parent()
            _run(lambda stop: roles.run(name, settings, stop))

    return command


for _name, _help in {
    "writer": "Moves positions from the log into history.",
    "watch": "Finds stops, geofence events and alerts.",
    "housekeeping": "Applies retention where the database does not do it itself.",
    "background": "Housekeeping and gateway in one process, as `up` has them.",
}.items():
    cli.command(_name, help=_help)(_role(_name))
cli.command("dispatch", help="Assigns orders to couriers.")(_role("dispatch", has_children=True))
cli.command("dispatch-large", hidden=True)(_role("dispatch-large"))  # what `dispatch` starts for large regions


@cli.command()
def doors() -> None:
    """What phones and gateways of trackers speak beside HTTP: gRPC and MQTT."""
    with not_yet_collecting():
        from app.doors.role import run  # noqa: PLC0415

    settings = _settings()
    _end_with_parent()
    _run(lambda stop: run(settings, stop))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema; safe to run twice at once."""
    from app.machine.migrate import migrate as apply  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    done = apply(connected(_settings()).database_url, say=lambda line: typer.echo(line, err=True))
    for name in done.applied:
        typer.echo(f"applied {name}")
    typer.echo(f"{done.engine}: schema {done.schema.words}")


@cli.command()
def token(
    role: Annotated[str, typer.Argument(help="viewer, support, dispatcher, admin, service or courier")],
    name: Annotated[str, typer.Option(help="Whose token it is, for the audit log.")] = "command line",
    courier: Annotated[str | None, typer.Option(help="Id or external id; for the role courier.")] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires; never by default.")] = None,
    address: Annotated[
        bool,
        typer.Option("--address", help="Print an address of the live map instead, to sign in once, soon."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a token and print it; it is not shown again. Without addresses: of the Postrider on the data folder."""
    from app.machine.running import connected  # noqa: PLC0415
    from app.machine.tokens import NoSuchCourier, make_address, make_token  # noqa: PLC0415
    from app.web.auth import Role  # noqa: PLC0415

    settings = connected(_settings(data_dir=data_dir))
    if role not in set(Role) - {Role.PLACE} or (role == Role.COURIER) != (courier is not None):
        raise typer.BadParameter("expected a role, and --courier with the role courier only")
    if address and role in {Role.COURIER, Role.SERVICE}:
        raise typer.BadParameter("the live map is for people: viewer, support, dispatcher or admin")
    if address:
        typer.echo(asyncio.run(make_address(settings, Role(role), name)))
        return
    try:
        made = asyncio.run(make_token(settings.database_url, Role(role), name, courier=courier, days=days))
    except NoSuchCourier as exc:
        raise typer.BadParameter(f"there is no courier {courier}") from exc
    typer.echo(made)


@cli.command()
def user(
    name: Annotated[str, typer.Argument(help="What the person signs in with.")],
    role: Annotated[str, typer.Option(help="viewer, auditor, support, dispatcher or admin")],
    region: Annotated[list[str] | None, typer.Option(help="Only this region; may be given again.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only this partner's orders and couriers.")] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(help="Read the password from there, - for standard input; else an address asks for one, once."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Add a person, and print an address that signs in once, within three days, to set a password."""
    from app.machine.running import connected  # noqa: PLC0415
    from app.machine.users import NameTaken, NewPerson, add_person  # noqa: PLC0415
    from app.web.auth import PEOPLE, Role  # noqa: PLC0415
    from app.web.problems import BadInput  # noqa: PLC0415

    settings = connected(_settings(data_dir=data_dir))
    if role not in PEOPLE:
        raise typer.BadParameter(f"expected one of: {', '.join(PEOPLE)}")
    password = None
    if password_file is not None:
        text = sys.stdin.read() if str(password_file) == "-" else password_file.read_text()
        password = text.removesuffix("\n")
    person = NewPerson(name=name, role=Role(role), regions=tuple(region or ()), partner=partner, password=password)
    try:
        address = asyncio.run(add_person(settings, person))
    except NameTaken as exc:
        raise typer.BadParameter(f"there is a person called {name}") from exc
    except BadInput as exc:
        raise typer.BadParameter("; ".join([str(exc), *(detail for _, detail in exc.errors)])) from exc
    typer.echo(address or f"added {name}")


Url = Annotated[str, typer.Option(help="Address of the API.", envvar="POSTRIDER_URL")]
ApiToken = Annotated[str, typer.Option(help="Of a service or an administrator.", envvar="POSTRIDER_TOKEN")]


@cli.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="GeoLife CSV, GPX or NDJSON, each also with .gz.")],
    token: ApiToken,
    url: Url = "http://127.0.0.1:8080",
    speedup: Annotated[
        float | None, typer.Option(min=0.001, help="So many times faster than recorded; as fast as it goes by default.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Fixes a request.")] = 500,
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Do not move the recording to now.")] = False,
    keep_gaps: Annotated[bool, typer.Option("--keep-gaps", help="Do not shorten pauses to a minute.")] = False,
    mode: Annotated[str, typer.Option(help="Mode of couriers that are created.")] = "car",
    region: Annotated[str | None, typer.Option(help="Region of couriers that are created.")] = None,
) -> None:
    """Post recorded tracks, and say what became of every fix."""
    from app.simulation.replay import ReplayParams  # noqa: PLC0415
    from app.simulation.replay import run as run_replay  # noqa: PLC0415

    params = ReplayParams(
        files=tuple(files),
        url=url,
        token=token,
        speedup=speedup,
        batch=batch,
        keep_times=keep_times,
        keep_gaps=keep_gaps,
        mode=mode,
        region=region,
    )
    asyncio.run(run_replay(params))


@cli.command()
def simulate(
    token: ApiToken,
    url: Url = "http://127.0.0.1:8080",
    couriers: Annotated[int, typer.Option(min=1, help="Size of the fleet.")] = 200,
    orders_per_hour: Annotated[float, typer.Option(min=0, help="Orders to place; none by default.")] = 0,
    interval_s: Annotated[float, typer.Option(min=0.2, help="Each courier posts so often.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same town and couriers.")] = 1,
    lat: Annotated[float, typer.Option(min=-85, max=85, help="Centre of the town.")] = 41.1579,
    lon: Annotated[float, typer.Option(min=-180, max=180, help="Centre of the town.")] = -8.6291,
    radius_m: Annotated[float, typer.Option(min=300, help="Size of the town.")] = 3000,
    duration_s: Annotated[float | None, typer.Option(min=0, help="End by itself after so long.")] = None,
    freeze: Annotated[list[int] | None, typer.Option(help="Number of a courier that stops moving.")] = None,
    silence: Annotated[list[int] | None, typer.Option(help="Number of a courier that stops posting.")] = None,
    detour: Annotated[list[int] | None, typer.Option(help="Number of a courier that drives elsewhere.")] = None,
    trouble_after_s: Annotated[float, typer.Option(min=0, help="When freeze, silence and detour begin.")] = 60,
    trouble_for_s: Annotated[float, typer.Option(min=0, help="How long they last.")] = 600,
    region: Annotated[str | None, typer.Option(help="Region of the fleet.")] = None,
) -> None:
    """A made-up fleet that posts through the API, as phones do."""
    from app.simulation.params import SimulateParams  # noqa: PLC0415
    from app.simulation.run import run as run_simulation  # noqa: PLC0415

    params = SimulateParams(
        url=url,
        token=token,
        couriers=couriers,
        orders_per_hour=orders_per_hour,
        interval_s=interval_s,
        seed=seed,
        lat=lat,
        lon=lon,
        radius_m=radius_m,
        duration_s=duration_s,
        freeze=tuple(freeze or ()),
        silence=tuple(silence or ()),
        detour=tuple(detour or ()),
        trouble_after_s=trouble_after_s,
        trouble_for_s=trouble_for_s,
        region=region,
    )
    counts = asyncio.run(run_simulation(params, say=typer.echo))
    for name in counts.__dataclass_fields__:
        typer.echo(f"{name.replace('_', ' '):<16} {getattr(counts, name)}")
    for line in counts.missing():
        typer.echo(line)


gateway = typer.Typer(help="Sends events to other systems, and takes commands from them.", invoke_without_command=True)
cli.add_typer(gateway, name="gateway")


@gateway.callback()
def play_gateway(context: typer.Context) -> None:
    """Sends events to other systems, and takes commands from them."""
    if context.invoked_subcommand is None:
        _role("gateway")()


commands = typer.Typer(no_args_is_help=True, help="Commands of other systems that could have no effect.")
gateway.add_typer(commands, name="dead-letters")


@commands.command("list")
def list_commands(data_dir: DataDir = None) -> None:
    """Show each: its id, when it came, by which way, from whom, its type and subject, and why it is here."""
    from app.machine.command_letters import list_letters  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    for row in asyncio.run(list_letters(connected(_settings(data_dir=data_dir)))):
        what = f"{row['source']}  {row['type']}  {row['subject']}  {row['reason']}"
        shown = "".join(sign if sign.isprintable() else "?" for sign in what)  # by strangers, on a terminal
        typer.echo(f"{row['id']}  {row['received_at']:%Y-%m-%dT%H:%M:%SZ}  {row['way']}  {shown}")


@commands.command("replay")
def replay_commands(
    letter: Annotated[UUID | None, typer.Option("--id", help="This one only.")] = None, data_dir: DataDir = None
) -> None:
    """Try them anew, once the cause is mended; what still can have no effect is set aside again."""
    from app.machine.command_letters import replay as replay_letters  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    typer.echo(f"replayed {asyncio.run(replay_letters(connected(_settings(data_dir=data_dir)), letter))}")


dead_letters = typer.Typer(no_args_is_help=True, help="What the writer could not store: shown, and brought back.")
cli.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def list_dead_letters() -> None:
    """Show each: region, when it was set aside, how many fixes, the log entry it came in, and why."""
    from app.machine.dead_letters import list_letters  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    for region, kept in asyncio.run(list_letters(connected(_settings()))):
        typer.echo(f"{region}  {kept.kept_at:%Y-%m-%dT%H:%M:%SZ}  {kept.n:>6}  {kept.entry}  {kept.why}")


@dead_letters.command("replay")
def replay_dead_letters(
    region: Annotated[str | None, typer.Option(help="Of this region only.")] = None,
) -> None:
    """Put them back into the log; the writer stores them, or sets aside anew what still cannot be stored."""
    from app.machine.dead_letters import replay  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    typer.echo(f"replayed {asyncio.run(replay(connected(_settings()), region))}")


pay = typer.Typer(no_args_is_help=True, help="Rules of what couriers earn.")
cli.add_typer(pay, name="pay")


@pay.callback()
def pay_rules() -> None:
    """Rules of what couriers earn."""


@pay.command("check")
def check_pay(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Rules in YAML.")]) -> None:
    """Say whether rules of pay can be used; what cannot is told with line and column, exit status 1."""
    from app.machine.pay import check_file  # noqa: PLC0415

    faults = check_file(file)
    for line in faults:
        typer.echo(line, err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo(f"{file}: good")


@cli.command()
def check(
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="One object a finding, for programs.")] = False,
) -> None:
    """Say whether settings, database, schema and Redis are as they should be; exit status 1 if not."""
    import msgspec  # noqa: PLC0415

    from app.machine.check import check as run_checks  # noqa: PLC0415
    from app.machine.running import NotRunning, connected  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    try:
        settings = connected(settings)
    except NotRunning as nothing:
        if not (settings.database_url or settings.redis_url):
            typer.echo(f"nothing was looked at: {nothing}", err=True)
            raise typer.Exit(1) from nothing
    results = asyncio.run(run_checks(settings))
    for result in results:
        if json:
            typer.echo(msgspec.json.encode(result).decode())
        else:
            mend = f"\n     {result.mend}" if result.mend else ""
            typer.echo(f"{'ok  ' if result.ok else 'FAIL'} {result.what}: {result.found}{mend}")
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


@cli.command()
def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")], data_dir: DataDir = None) -> None:
    """Copy the database and the log into a folder, while everything runs."""
    from app.machine.backup import backup as make  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    made = asyncio.run(make(connected(_settings(data_dir=data_dir)), folder))
    typer.echo(f"{folder}: everything acknowledged before {made.made_at:%Y-%m-%dT%H:%M:%SZ}, schema {made.schema}")


@cli.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `backup` made.")],
    jobs: Annotated[int, typer.Option(min=1, help="So many tables at once.")] = 2,
    keep_redis: Annotated[
        bool, typer.Option("--keep-redis", help="Only the database was lost: store again what the log still has.")
    ] = False,
) -> None:
    """Fill an empty database and an empty Redis from a backup; then `migrate` and start the roles."""
    from app.machine.backup import restore as fill  # noqa: PLC0415
    from app.machine.running import connected  # noqa: PLC0415

    made = asyncio.run(fill(connected(_settings()), folder, jobs=jobs, keep_redis=keep_redis))
    typer.echo(f"restored what was acknowledged before {made.made_at:%Y-%m-%dT%H:%M:%SZ}; now `postrider migrate`")


@cli.command()
def top(
    url: Annotated[list[str] | None, typer.Option(help="Of the API, or of a metrics port; may be given again.")] = None,
    every_s: Annotated[float, typer.Option(min=0.5, help="How often to look.")] = 2.0,
    times: Annotated[int | None, typer.Option(min=1, help="End after so many looks.")] = None,
) -> None:
    """How it fares, live: rates, lags, couriers, orders, late ones, alerts."""
    from app.machine.top import top as show  # noqa: PLC0415

    show(url or ["http://127.0.0.1:8080"], every_s=every_s, times=times)


@cli.command("map")
def make_map(
    source: Annotated[Path, typer.Argument(help="A cut-out of OpenStreetMap, .osm.pbf.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file of tiles to write, .pmtiles.")],
) -> None:
    """Make the streets of the live map from a cut-out of OpenStreetMap; POSTRIDER_MAP_TILES then names the file."""
    from app.streets.command import make  # noqa: PLC0415

    typer.echo(make(source, output))


@cli.command("settings")
def show_settings() -> None:
    """Print what is in force and where each comes from; secrets are masked."""
    from app.machine.in_force import in_force  # noqa: PLC0415

    for name, value, source in in_force(_settings(), os.environ):
        typer.echo(f"{name:<40} {value:<40} {source}")


if __name__ == "__main__":
    main()
