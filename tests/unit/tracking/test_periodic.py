"""Work that is done again and again."""

import asyncio
import logging

import pytest
from prometheus_client import REGISTRY

from tracking import periodic

LOG = logging.getLogger("test")


async def test_an_outage_postpones_and_a_defect_ends(caplog):
    stop, n = asyncio.Event(), 0

    async def work():
        nonlocal n
        n += 1
        if n == 1:
            raise ConnectionResetError
        raise KeyError(n)

    with pytest.raises(KeyError):
        await periodic.run(work, stop, every_s=0.001, log=LOG, message="postponed", event="work_postponed", name="test")
    assert (n, [record.event for record in caplog.records]) == (2, ["work_postponed"])


async def test_it_ends_at_once_when_it_is_told_to_while_it_waits():
    stop = asyncio.Event()

    async def work():
        stop.set()

    assert REGISTRY.get_sample_value("postrider_job_success_timestamp_seconds", {"work": "test"}) is None
    await periodic.run(work, stop, every_s=3600, log=LOG, message="postponed", event="work_postponed", name="test")
    assert REGISTRY.get_sample_value("postrider_job_success_timestamp_seconds", {"work": "test"}) > 1e9
