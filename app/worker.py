"""What an API process begins with: nothing of it is garbage yet, so the collector waits."""

from app.web.collector import not_yet_collecting
from app.web.rsgi import Rsgi


def rsgi() -> Rsgi:
    """The API, imported and built."""
    with not_yet_collecting():
        from app.main import rsgi as build  # noqa: PLC0415

        return build()
