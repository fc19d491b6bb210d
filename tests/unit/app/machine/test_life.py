"""What a process says of itself: when it begins, when it ends, and when it falls over."""

import logging

import pytest

from app import __main__ as program
from app.logs import JsonFormatter, TextFormatter
from app.machine.api import deaths
from app.machine.life import lived
from app.settings import Settings

SECRETS = ("horse", "battery", "staple")


async def test_a_role_says_with_what_it_began_and_that_it_ended_and_no_secret(caplog):
    caplog.set_level(logging.INFO)
    settings = Settings(
        database_url=f"postgresql://postrider:{SECRETS[0]}@db/postrider",
        osrm_url=f"car=https://user:{SECRETS[1]}@maps",
        kafka_password=SECRETS[2],
        token_cache_s=3.0,
    )
    async with lived("writer", settings):
        pass
    began, ended = caplog.records
    assert (began.event, ended.event, began.role, ended.role) == ("started", "ended", "writer", "writer")
    assert began.settings == {
        "DATABASE_URL": "***",
        "POSTRIDER_OSRM_URL": "***",
        "POSTRIDER_KAFKA_PASSWORD": "***",
        "POSTRIDER_TOKEN_CACHE_S": "3.0",
    }
    line = JsonFormatter().format(began)
    assert not [secret for secret in SECRETS if secret in line]
    assert "TOKEN_CACHE_S" not in TextFormatter().format(began)  # a person asks `postrider settings`


async def test_a_role_that_falls_over_has_ended_too(caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(RuntimeError):
        async with lived("watch", Settings()):
            raise RuntimeError
    assert [record.event for record in caplog.records] == ["started", "ended"]


def test_a_defect_is_a_line_of_the_log_like_any_other(caplog, monkeypatch):
    def cli() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(program, "cli", cli)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 1
    (record,) = caplog.records
    assert (record.event, record.exc_info[0]) == ("crashed", ZeroDivisionError)


def test_of_the_servers_own_log_only_a_workers_death_is_told():
    is_told = deaths()
    said = [logging.makeLogRecord({"msg": text}) for text in ("Unexpected exit from worker-2", "Spawning worker-2")]
    assert [is_told(record) for record in said] == [True, False]
    assert said[0].event == "worker_died"
