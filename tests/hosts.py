"""
Several machines on this one: a network namespace each, joined by a bridge, in a network that ends with its processes.

    root or a user ── unshare (network, mounts, processes) ── bridge 10.77.0.1 ──┬── host, 10.77.0.10
                      `command` runs in there as process 1                       └── host, 10.77.0.11 …

Whatever happens to process 1, or to who started it, the kernel ends everything that it started and takes its network
away. Nothing of it can be reached from outside, and nothing in there can reach anything else.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

SUBNET: Final = "10.77.0"
BRIDGE: Final = "bridge"
_CLONE_NEWNET: Final = 0x40000000


def apart(command: Sequence[str]) -> list[str]:
    """The command in a network of its own: end it with SIGKILL, for it is its processes' init."""
    # Without root a namespace of users gives what is needed; the user stays who it is, for PostgreSQL refuses root.
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def missing_namespaces() -> str | None:
    """Why machines cannot be made here, for a skip; None when they can."""
    if missing := [name for name in ("ip", "unshare", "mount", "nginx", "openssl") if shutil.which(name) is None]:
        return f"no {', '.join(missing)}: install Debian's packages"
    try_it = "mount -t tmpfs none /run && ip netns add one && ip link add two type bridge"
    tried = subprocess.run(apart(["sh", "-c", try_it]), capture_output=True, text=True, check=False)
    said = (tried.stderr.strip().splitlines() or ["?"])[-1]
    return f"no network namespaces for who we are here: {said}" if tried.returncode else None


class Host:
    """A machine, to be made by `Network`."""

    def __init__(self, network: "Network", name: str, number: int) -> None:
        self.name = name
        self.address = _address(number)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        """What runs there, by name; whoever starts something puts it here."""
        self._network = network
        self._port = f"to-{name}"
        network.run(
            f"netns add {name}",
            f"link add {self._port} type veth peer name eth0 address {_mac(number)} netns {name}",
            f"link set {self._port} master {BRIDGE} up",
        )
        network.run(f"addr add {self.address}/24 dev eth0", "link set lo up", "link set eth0 up", host=name)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts, is on that machine; not for code that waits for other tasks."""
        with Path("/proc/thread-self/ns/net").open() as here, Path(f"/run/netns/{self.name}").open() as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str], log: IO[str], cwd: Path) -> None:
        """A process there, with those that it starts in a group of its own."""
        with self.inside():
            self.processes[name] = subprocess.Popen(
                command, env=environ, cwd=cwd, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, *names: str) -> None:
        """As a crash (kill -9) of these processes and their children, without a farewell."""
        for name in names:
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        for name in names:
            self.processes.pop(name).wait()

    def unplug(self) -> None:
        """Nothing reaches it or leaves it any more, and nobody is told: connections hang."""
        self._network.run(f"link set {self._port} down")

    def plug_in(self) -> None:
        """As it was."""
        self._network.run(f"link set {self._port} up")

    def lose(self) -> None:
        """The machine is gone: its network first, for a machine that loses its power says no goodbye."""
        self.unplug()
        self.kill(*list(self.processes))


class Network:
    """The bridge and its hosts; we are a machine on it too. Only for a process that `apart` started."""

    address: Final = f"{SUBNET}.1"

    def __init__(self, names: Sequence[str]) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)  # `ip netns` writes there
        self.run(
            f"link add {BRIDGE} address {_mac(1)} type bridge",
            f"addr add {self.address}/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
            "link set lo up",
        )
        self.hosts = {name: Host(self, name, number) for number, name in enumerate(names, start=10)}
        # Who is gone is asked for in vain, not found missing: that is what hangs, as it does across a router.
        numbers = [1, *range(10, 10 + len(names))]
        for host, device in [(None, BRIDGE), *((name, "eth0") for name in names)]:
            known = (f"neigh replace {_address(n)} lladdr {_mac(n)} dev {device} nud permanent" for n in numbers)
            self.run(*known, host=host)

    def run(self, *lines: str, host: str | None = None) -> None:
        """Commands of `ip`, ours or a host's."""
        where = [] if host is None else ["-n", host]
        subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True)


def _address(number: int) -> str:
    return f"{SUBNET}.{number}"


def _mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def _enter(namespace: IO[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
