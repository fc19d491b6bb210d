"""What a handler may ask for by name; `create_app` provides it."""

import asyncpg
import redis.asyncio as aioredis
from litestar.di import NamedDependency

from app.settings import Settings
from app.web.auth import Authenticator, Caller
from dispatch.arrivals.answers import Arrivals
from dispatch.orders.channel import CourierChannels
from dispatch.region.whereabouts import Locator
from dispatch.travel.chain import TravelChain

Pool = NamedDependency[asyncpg.Pool]
"""Parameter `pool`."""
RedisClient = NamedDependency[aioredis.Redis]
"""Parameter `redis`."""
CurrentSettings = NamedDependency[Settings]
"""Parameter `installation`; not `settings`, for bodies have a field of that name."""
CurrentCaller = NamedDependency[Caller]
"""Parameter `caller`: who sent the request; on a public route it may be None."""
Tokens = NamedDependency[Authenticator]
"""Parameter `authenticator`."""
Arriving = NamedDependency[Arrivals]
"""Parameter `arrivals`: when couriers arrive."""
Travel = NamedDependency[TravelChain]
"""Parameter `travel`: the chain of travel times."""
Channels = NamedDependency[CourierChannels]
"""Parameter `channels`: wakes couriers' streams."""
Whereabouts = NamedDependency[Locator]
"""Parameter `locator`: where couriers are."""
