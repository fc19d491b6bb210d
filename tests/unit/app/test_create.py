"""The API can be put together; nothing is opened for that."""

from app.main import create_app
from app.settings import Settings


def test_every_handler_and_its_dependencies_fit():
    assert create_app(Settings()).routes
