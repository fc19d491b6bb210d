"""
A process that does nothing but send by Apprise: `python -m app.messages.child [private]`.

Apprise has no limits of its own that hold, and a hundred services with code of their own. Here it may hang, for whoever
started this kills it; and every connection is judged when it is made, so that an address that an administrator wrote
reaches nothing inside (with `private` anything). A line of JSON when it is ready, then a line in, a line out.
"""

import json
import logging
import os
import re
import sys
from typing import Any, Final, TextIO

import apprise

from app.gateway.outside import is_public

NOT_OURS: Final = frozenset({"dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "syslog", "rsyslog", "growl"})
"""They speak to the machine, not to people."""
REFUSED: Final = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.bind")


def judge(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook of Python (PEP 578): raises OSError for what must not be reached."""
    if event in REFUSED:
        raise OSError("not for messages")
    if event not in {"socket.connect", "socket.sendto"}:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        raise OSError("not a public address")
    try:
        public = is_public(str(address[0]))
    except ValueError as exc:
        raise OSError("not a public address") from exc
    if not public:
        raise OSError("not a public address")


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What becomes of one request."""
    url = str(asked["url"])
    if url.partition(":")[0].lower() in NOT_OURS:
        return {"ok": False, "error": "this service is not for messages to people"}
    made = apprise.Apprise.instantiate(re.sub(r"\{(phone|email)\}", _sample, url))
    if made is None:
        return {"ok": False, "error": "expected an address as Apprise writes it"}
    service = str(made.service_name)
    if asked["do"] == "check":
        return {"ok": True, "service": service}
    sender = apprise.Apprise()
    sender.add(url)
    is_sent = sender.notify(body=asked["body"], title=asked["title"], body_format=apprise.NotifyFormat.TEXT)
    return {"ok": bool(is_sent), "service": service, "error": None if is_sent else "the service did not take it"}


def _sample(placeholder: re.Match[str]) -> str:
    return "15551234567" if placeholder[1] == "phone" else "somebody%40example.com"


def main(source: TextIO, sink: TextIO, *, may_reach_all: bool) -> None:
    """Answer line by line until there are no more."""
    logging.disable()  # it writes what it sends, and to whom
    apprise.Apprise.instantiate("json://example.com")  # all services are loaded before anything is asked
    sink.write("{}\n")
    sink.flush()
    if not may_reach_all:
        sys.addaudithook(judge)
    for line in source:
        try:
            told = answer(json.loads(line))
        except Exception as exc:  # noqa: BLE001 - whatever a service's code does
            told = {"ok": False, "error": type(exc).__name__}
        sink.write(json.dumps(told) + "\n")
        sink.flush()


if __name__ == "__main__":
    # What services print is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main(sys.stdin, answers, may_reach_all="private" in sys.argv[1:])
