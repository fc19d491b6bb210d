"""The command line: `postrider up`, each role by its name, and the tools."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from app import logs
from app.settings import SettingError, Settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, help="Tracks a courier fleet and dispatches its orders.")


def main() -> None:
    """Entry point."""
    cli()


def _settings(**given: Any) -> Settings:
    try:
        settings = Settings.from_env(os.environ)
    except SettingError as exc:
        raise typer.BadParameter(str(exc)) from exc
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
def up(host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """Every role in one process tree, with embedded servers where no URL is set."""
    from app.embedded import FolderInUse  # noqa: PLC0415
    from app.migrate import MigrationError  # noqa: PLC0415
    from app.servers import NotInstalled, ServerFailed  # noqa: PLC0415
    from app.up import StartError  # noqa: PLC0415
    from app.up import up as run_all  # noqa: PLC0415

    settings = _settings(host=host, port=port, data_dir=data_dir)
    try:
        _run(lambda stop: run_all(settings, os.environ, stop))
    except (StartError, FolderInUse, NotInstalled, ServerFailed, MigrationError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc


@cli.command()
def api(host: Host = None, port: Port = None) -> None:
    """The HTTP API."""
    from granian import Granian  # noqa: PLC0415
    from granian.constants import Interfaces, Loops  # noqa: PLC0415

    settings = _settings(host=host, port=port)
    _end_with_parent()
    Granian(
        "app.main:asgi",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api_workers,
        websockets=False,
        backlog=2048,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        log_enabled=False,
    ).serve()


def _end_with_parent() -> None:
    """Ask the kernel to end this process when `postrider up` dies, be it by kill -9 (Linux only)."""
    if "POSTRIDER_CHILD_OF" in os.environ and sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG, prctl(2)
        if os.getppid() != int(os.environ["POSTRIDER_CHILD_OF"]):
            raise typer.Exit(1)  # it died before we could ask


def _role(name: str) -> Callable[[], None]:
    def command() -> None:
        from app import roles  # noqa: PLC0415

        settings = _settings()
        _end_with_parent()
        _run(lambda stop: roles.run(name, settings, stop))

    return command


for _name, _help in {
    "writer": "Moves positions from the log into history.",
    "watch": "Finds stops, geofence events and alerts.",
    "dispatch": "Assigns orders to couriers.",
    "housekeeping": "Applies retention where the database does not do it itself.",
}.items():
    cli.command(_name, help=_help)(_role(_name))


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema; safe to run twice at once."""
    from app.migrate import MigrationError  # noqa: PLC0415
    from app.migrate import migrate as apply  # noqa: PLC0415

    settings = _settings()
    if not settings.database_url:
        raise typer.BadParameter("DATABASE_URL is not set")
    try:
        done = apply(settings.database_url)
    except MigrationError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc
    for name in done.applied:
        typer.echo(f"applied {name}")
    typer.echo(f"{done.engine}: schema version {done.version}")


@cli.command()
def token(
    role: Annotated[str, typer.Argument(help="viewer, support, dispatcher, admin, service or courier")],
    name: Annotated[str, typer.Option(help="Whose token it is, for the audit log.")] = "command line",
    courier: Annotated[str | None, typer.Option(help="Id or external id; for the role courier.")] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires; never by default.")] = None,
) -> None:
    """Make a token and print it; it is not shown again."""
    from app.auth import Role  # noqa: PLC0415
    from app.tokens import NoSuchCourier, make_token  # noqa: PLC0415

    settings = _settings()
    if role not in set(Role) or (role == Role.COURIER) != (courier is not None):
        raise typer.BadParameter("expected a role, and --courier with the role courier only")
    try:
        made = asyncio.run(make_token(settings.database_url, Role(role), name, courier=courier, days=days))
    except NoSuchCourier as exc:
        raise typer.BadParameter(f"there is no courier {courier}") from exc
    typer.echo(made)


@cli.command()
def check() -> None:
    """Say whether settings, database, schema and Redis are as they should be; exit status 1 if not."""
    from app.check import check as run_checks  # noqa: PLC0415

    results = asyncio.run(run_checks(_settings()))
    for result in results:
        typer.echo(f"{'ok  ' if result.ok else 'FAIL'} {result.what}: {result.found}")
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


if __name__ == "__main__":
    main()
