"""What a handler may ask for by name; `create_app` provides it."""

import asyncpg
import redis.asyncio as aioredis
from litestar.di import NamedDependency

from app.settings import Settings
from app.web.auth import Authenticator, Caller

Pool = NamedDependency[asyncpg.Pool]
"""Parameter `pool`."""
RedisClient = NamedDependency[aioredis.Redis]
"""Parameter `redis`."""
CurrentSettings = NamedDependency[Settings]
"""Parameter `settings`."""
CurrentCaller = NamedDependency[Caller]
"""Parameter `caller`: who sent the request; on a public route it may be None."""
Tokens = NamedDependency[Authenticator]
"""Parameter `authenticator`."""
