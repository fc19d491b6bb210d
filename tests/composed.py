"""
What `docker compose up` would start, from the programs that are here: in the order, with the commands, environments,
secrets and health checks that deploy/compose.yaml names, each on a port of the loopback.
"""

import json
import os
import random
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import redis
import yaml

from app.machine import servers
from app.machine.servers import PostgresServer
from tests import proxy
from tests.waiting import PATIENCE_S, wait_until

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
COMPOSE: Final[Mapping[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Final[Mapping[str, Any]] = COMPOSE["services"]
NOT_HERE: Final = {"alloy", "grafana", "loki", "osrm", "rabbitmq"}
"""Programs that no package gives us, and RabbitMQ, which tests/acceptance/test_rabbitmq.py starts."""
LARGE: Final = {
    "shared_buffers",
    "wal_compression",
    "max_wal_size",
    "maintenance_work_mem",
    "max_worker_processes",
    "listen_addresses",
}
"""Of postgres.conf: sized for a machine of its own, or (lz4) of what the wheel was not built with."""


@dataclass
class Composed:
    """The services as processes; `program`: the installed `postrider`."""

    folder: Path
    program: Path
    ports: dict[str, int] = field(default_factory=dict)
    """By the name of the service: where it answers, and where its health is asked."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    url: str = ""

    def secret(self, name: str, text: str) -> None:
        (self.folder / "secrets" / name).write_text(text)

    def environ_of(self, name: str) -> dict[str, str]:
        """As compose sets it: its own values, none of ours."""
        told = {key: str(value) for key, value in SERVICES[name].get("environment", {}).items()}
        text = {key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for key, value in told.items()}
        environ = {key: value.replace("/run/secrets", str(self.folder / "secrets")) for key, value in text.items()}
        # What the image sets (deploy/Dockerfile), on addresses of this machine.
        environ |= {"POSTRIDER_HOST": "127.0.0.1", "POSTRIDER_LOG_JSON": "1", "PATH": os.environ["PATH"]}
        if "POSTRIDER_METRICS_PORT" in environ:
            environ["POSTRIDER_METRICS_PORT"] = str(self.ports[name])
        if "POSTRIDER_TRUSTED_PROXIES" in environ:
            environ |= {"POSTRIDER_TRUSTED_PROXIES": "127.0.0.1", "POSTRIDER_PORT": str(self.ports[f"{name}:8080"])}
        return environ

    def is_well(self, name: str) -> bool:
        """As the service's own health check says, word for word but for the port."""
        check = SERVICES[name]["healthcheck"]["test"]
        words = [word.replace(":9100/", f":{self.ports[name]}/") for word in check[1:]]
        words[0] = str(self.program.with_name(words[0]))
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def run(self, *arguments: str, ends: frozenset[int] = frozenset({0})) -> str:
        """A command of the program, in the environment of the service `migrate`."""
        done = subprocess.run(
            [self.program, *arguments], env=self.environ_of("migrate"), capture_output=True, text=True, check=False
        )
        assert done.returncode in ends, done.stdout + done.stderr
        return done.stdout

    def found_wrong(self) -> set[str]:
        """What `postrider check` complains of."""
        lines = self.run("check", "--json", ends=frozenset({0, 1})).splitlines()
        return {one["what"] for one in map(json.loads, lines) if not one["ok"]}

    def roles(self) -> list[str]:
        """The services that play a role of the program for as long as they run."""
        return [name for name in self.processes if SERVICES[name].get("image") == "postrider:latest"]

    def play(self, name: str) -> None:
        """Start a role by the command of its service."""
        log = (self.folder / f"{name}.log").open("w")
        command = [self.program, *SERVICES[name]["command"]]
        self.processes[name] = subprocess.Popen(command, env=self.environ_of(name), cwd=self.folder, stderr=log)
        log.close()


def own_port() -> int:
    """Of the loopback, and of none that the system gives to connections: what is free now is free until it is taken."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(low - 8_000, low), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def in_order() -> list[str]:
    """The services that are here, each after those that it waits for."""
    done: list[str] = []

    def add(name: str) -> None:
        for other in SERVICES[name].get("depends_on", {}):
            add(other)
        if name not in done:
            done.append(name)

    for name in sorted(SERVICES.keys() - NOT_HERE):
        add(name)
    return done


def _flags(command: list[str]) -> list[str]:
    """The options that stand in a command of compose."""
    return re.findall(r"--[\w.-]+(?:[= ](?!--|\")[^\s\"]+)?", " ".join(command))


def _postgres(made: Composed, stack: ExitStack) -> None:
    """PostgreSQL of the wheel, with deploy/postgres.conf but for TimescaleDB, and for what is sized for a machine."""
    lines = (DEPLOY / "postgres.conf").read_text().splitlines()
    told = dict(re.findall(r"^([\w.]+) = (.*)$", "\n".join(lines), re.MULTILINE))
    settings = {name: value.strip("'") for name, value in told.items() if not name.startswith("timescaledb.")}
    settings["shared_preload_libraries"] = settings["shared_preload_libraries"].replace("timescaledb,", "")
    server = PostgresServer(made.folder / "postgres", settings={k: v for k, v in settings.items() if k not in LARGE})
    server.start()
    stack.callback(server.stop)
    made.secret("database_url", server.url)


def _redis(made: Composed, stack: ExitStack) -> None:
    options = [word for flag in _flags(SERVICES["redis"]["command"]) for word in flag.split()]
    options[options.index("--requirepass") :] = ["--requirepass", "secret"]
    port = made.ports["redis"]
    (made.folder / "redis").mkdir()
    command = [servers._redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", made.folder / "redis"]
    made.processes["redis"] = subprocess.Popen([*map(str, command), *options], stdout=subprocess.DEVNULL)
    wait_until(lambda: _answers_redis(f"redis://:secret@127.0.0.1:{port}/0"))


def _answers_redis(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=PATIENCE_S) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _prometheus(made: Composed, stack: ExitStack) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    [job] = config["scrape_configs"]
    names = job.pop("dns_sd_configs")[0]["names"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{made.ports[name]}"], "labels": {"of": name}} for name in names]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "helm" / "rules" / "*.yaml")]
    config["alerting"] = {
        "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{made.ports['alertmanager']}"]}]}]
    }
    (made.folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    _watch(made, "prometheus", {"/etc/prometheus/": f"{made.folder}/", "=/prometheus": f"={made.folder}/prometheus"})


def _alertmanager(made: Composed, stack: ExitStack) -> None:
    text = (DEPLOY / "prometheus" / "alertmanager.yaml").read_text()
    (made.folder / "alertmanager.yaml").write_text(text.replace("/run/secrets", str(made.folder / "secrets")))
    where = {"/etc/alertmanager/": f"{made.folder}/", "=/alertmanager": f"={made.folder}/alertmanager"}
    _watch(made, "alertmanager", where, "--cluster.listen-address=")


def _watch(made: Composed, name: str, where: Mapping[str, str], *more: str) -> None:
    port = made.ports[name] = made.ports.get(name) or own_port()
    flags = _flags(SERVICES[name]["command"])
    for there, here in where.items():
        flags = [flag.replace(there, here) for flag in flags]
    # Debian's version is older than the image's, and lacks an option or two.
    known = subprocess.run([_program(name), "--help"], capture_output=True, text=True, check=False)
    said = known.stdout + known.stderr
    flags = [flag for flag in flags if flag.partition("=")[0] in said]
    command = [_program(name), *flags, f"--web.listen-address=127.0.0.1:{port}", *more, "--log.level=error"]
    made.processes[name] = subprocess.Popen(command)
    wait_until(lambda: _answers(f"http://127.0.0.1:{port}/-/ready"))


def _program(name: str) -> str:
    return {"alertmanager": "prometheus-alertmanager"}.get(name, name)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE_S).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _nginx(made: Composed, stack: ExitStack) -> None:
    apis = [made.ports[f"{name}:8080"] for name in SERVICES["nginx"]["depends_on"]]
    made.url = stack.enter_context(proxy.running(made.folder, apis, https=own_port(), http=own_port()))


OTHERS: Final[Mapping[str, Callable[[Composed, ExitStack], None]]] = {
    "timescale": _postgres,
    "redis": _redis,
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
    "nginx": _nginx,
}


@contextmanager
def composed(folder: Path, program: Path) -> Iterator[Composed]:
    """Everything that is here, started as compose would, as long as the context lasts."""
    made = Composed(folder, program)
    (folder / "secrets").mkdir(mode=0o700)
    for name in COMPOSE["secrets"]:
        made.secret(name, "")
    made.secret("slack_url", "http://127.0.0.1:9/")
    for name, service in SERVICES.items():
        if "POSTRIDER_METRICS_PORT" in service.get("environment", {}):
            made.ports |= {name: own_port(), f"{name}:8080": own_port()}
    made.ports |= {"alertmanager": own_port(), "redis": own_port()}
    made.secret("redis_url", f"redis://:secret@127.0.0.1:{made.ports['redis']}/0")
    with ExitStack() as stack:
        stack.callback(_end, made)
        for name in in_order():
            for other, how in SERVICES[name].get("depends_on", {}).items():
                if how["condition"] == "service_healthy" and other not in OTHERS:
                    wait_until(lambda other=other: made.is_well(other))
            if name in OTHERS:
                OTHERS[name](made, stack)
            elif name == "migrate":
                made.run("migrate")
            else:
                made.play(name)
        yield made


def _end(made: Composed) -> None:
    """Roles before the servers that they need."""
    for name in sorted(made.processes, key=lambda name: name in OTHERS):
        made.processes[name].terminate()
    for process in made.processes.values():
        try:
            process.wait(timeout=PATIENCE_S / 4)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
