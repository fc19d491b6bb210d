"""The API as it is described, opened by nobody: built once for all tests that only read it."""

import functools

from litestar import Litestar

from app.main import create_app
from app.settings import Settings


@functools.cache
def described() -> Litestar:
    """Of the settings that nobody has changed; to build it takes longer than most tests."""
    return create_app(Settings())
