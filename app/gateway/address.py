"""Addresses that somebody else has chosen, as far as they can be judged by looking at them; no I/O."""

from urllib.parse import urlsplit

from app.gateway.outside import is_public
from app.web.problems import BadInput


def check_url(url: str, pointer: str, *, allow_private: bool) -> None:
    """Raises BadInput for what no public host can be; a name is looked up, and judged, at every connection."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise BadInput("The address cannot be read.", (pointer, str(exc))) from exc
    if not host or any(ord(sign) < 33 or ord(sign) > 126 for sign in url):
        raise BadInput("The address cannot be read.", (pointer, "expected http(s)://host/…, in ASCII"))
    if allow_private:
        return
    try:
        public = is_public(host)
    except ValueError:
        public = host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
    if not public:
        raise BadInput("The address is not a public one.", (pointer, "expected a public host"))
