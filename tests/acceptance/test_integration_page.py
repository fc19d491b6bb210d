"""The examples of app/integration.md, as a stranger runs them: with the client's wheel, against the program."""

import asyncio
import os
import subprocess
import sys
import zipfile

import pytest

from app.machine.servers import free_port
from app.machine.tokens import make_token
from app.web.auth import Role
from tests.examples import EXAMPLES, ROOT
from tests.waiting import PATIENCE_S, is_ready, wait_until

ROLES = ("api", "doors", "dispatch", "gateway")


@pytest.fixture
def site(tmp_path):
    """A folder with the client as it is installed, and the examples."""
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(built, cwd=ROOT / "app/client", check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    for name, text in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def run(site, database_url, redis_url):
    """`run(example, **environ)`: what it prints, in words."""
    ports = {name: str(free_port()) for name in ("POSTRIDER_PORT", "POSTRIDER_GRPC_PORT", "POSTRIDER_MQTT_PORT")}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("POSTRIDER_", "PYTHONPATH"))}
    own = {"POSTRIDER_WEBHOOKS_PRIVATE": "1", "POSTRIDER_OFFER_FOR_S": "600", "POSTRIDER_DISPATCH_TICK_S": "1"}
    program = clean | ports | own | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    roles = [subprocess.Popen([sys.executable, "-m", "app", role], cwd=ROOT, env=program) for role in ROLES]
    url = f"http://127.0.0.1:{ports['POSTRIDER_PORT']}"
    theirs = clean | {
        "PYTHONPATH": str(site),
        "POSTRIDER_URL": url,
        "POSTRIDER_TOKEN": asyncio.run(make_token(database_url, Role.ADMIN, "stranger")),
        "POSTRIDER_GRPC": f"127.0.0.1:{ports['POSTRIDER_GRPC_PORT']}",
        "POSTRIDER_MQTT": f"127.0.0.1:{ports['POSTRIDER_MQTT_PORT']}",
    }

    def example(name, **environ):
        command = [sys.executable, site / f"{name}.py"]
        done = subprocess.run(
            command, cwd=site, env=theirs | environ, text=True, capture_output=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    wait_until(lambda: is_ready(url))
    yield example
    for role in roles:
        role.terminate()
    for role in roles:
        role.wait(PATIENCE_S)


def test_a_stranger_comes_to_a_delivered_order_over_each_way(run):
    state, courier, token = run("shop")
    assert state == "assigned"
    device = {"COURIER": courier, "COURIER_TOKEN": token}
    assert run("courier", **device) == ["delivered"]
    assert run("phone", **device) == ["stored"]
    assert run("screen") == ["order.placed"]
    assert run("back_office") == ["postrider.order.placed"]


def test_every_way_has_an_example():
    """Those over brokers are run where these are: test_rabbitmq.py, test_kafka.py, test_positions_out.py."""
    over_brokers = {"rabbit", "topic", "fleet"}
    assert set(EXAMPLES) == {"shop", "back_office", "screen", "courier", "phone"} | over_brokers
