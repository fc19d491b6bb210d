"""
A process with every role that works by leases, whose turns take longer than a lease; run by test_leases.py.

python -m tests.integration.dispatch.slow_roles DATABASE_URL REDIS_URL
"""

import asyncio
import json
import os
import signal
import sys
import time

import asyncpg
import redis.asyncio as aioredis

from dispatch.alerts.observer import Vigilance
from dispatch.alerts.region_facts import FactsOfRegion
from dispatch.arrivals.book import EtaBook
from dispatch.arrivals.forecast import Forecaster
from dispatch.arrivals.keeper import EtaKeeper, KeeperParams
from dispatch.learning.knowledge import Knowledge
from dispatch.region.cycle import CycleParams, Planning
from dispatch.region.loop import Dispatcher, LoopParams
from dispatch.region.whereabouts import Locator
from dispatch.travel.chain import TravelChain
from dispatch.travel.great_circle import GreatCircle
from tracking.intake.roster import Roster
from tracking.live import LivePositions
from tracking.log import PositionLog
from tracking.watching.findings import Findings
from tracking.watching.lookout import WatchParams
from tracking.watching.watch import Watcher

LEASE_S = 3.0
"""A shorter one runs out by itself where a machine stands still for a moment."""
TURN_S = 2 * LEASE_S


def say(event, lease):
    """Tell the test, which reads what all processes say."""
    facts = {"event": event, "job": lease.job, "region": lease.region, "token": lease.token}
    sys.stdout.write(json.dumps({"at": time.time(), "pid": os.getpid(), **facts}) + "\n")
    sys.stdout.flush()


def slowly(write):
    """The same write, after a turn that takes long; told when it begins and when it counted."""

    async def slow(self, lease, what, *more, **named):
        if not what:
            return await write(self, lease, what, *more, **named)
        say("begun", lease)
        await asyncio.sleep(TURN_S)
        done = await write(self, lease, what, *more, **named)
        say("written", lease)
        return done

    return slow


class SlowPlanning(Planning):
    async def at_once(self, lease, *more):
        say("begun", lease)
        cycle = await super().at_once(lease, *more)
        say("written", lease)
        return cycle


class SlowTravel(TravelChain):
    async def matrix(self, *places, **named):
        await asyncio.sleep(TURN_S)
        return await super().matrix(*places, **named)


async def run(database_url, redis_url):
    Findings.apply, Findings.replace = slowly(Findings.apply), slowly(Findings.replace)
    EtaBook.put = slowly(EtaBook.put)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    redis = aioredis.Redis.from_url(redis_url)
    async with asyncpg.create_pool(database_url, min_size=0, max_size=8) as pool:
        regions = Roster(pool).regions
        planning = SlowPlanning(
            pool=pool,
            redis=redis,
            travel=SlowTravel(great_circle=GreatCircle()),
            locator=Locator(LivePositions(redis)),
            params=CycleParams(search_s=0, offer_for_s=600),
        )
        dispatcher = Dispatcher(
            pool=pool, redis=redis, planning=planning, params=LoopParams(tick_s=0.2, lease_s=LEASE_S, retry_s=0.1)
        )
        watcher = Watcher(
            pool=pool,
            redis=redis,
            position_log=PositionLog(redis),
            regions=regions,
            observers=[Vigilance(pool=pool, redis=redis, facts=FactsOfRegion(pool))],
            params=WatchParams(lease_s=LEASE_S, tick_s=0.2, recount_after_s=60.0),
        )
        keeper = EtaKeeper(
            pool,
            redis,
            GreatCircle(),
            Forecaster(Knowledge()),
            regions,
            params=KeeperParams(tell_every_s=0.5, lease_s=LEASE_S, retry_s=0.1),
        )
        await asyncio.gather(dispatcher.run(stop), watcher.run(stop), keeper.run(stop))
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
