"""The API can be put together; nothing is opened for that."""

import inspect
from typing import Any

import msgspec

from app.main import create_app
from app.settings import Settings
from tests.described import described

APP = described()


def test_every_handler_and_its_dependencies_fit():
    assert APP.routes


def test_only_the_demo_lets_people_break_something():
    paths = [{route.path for route in app.routes} for app in (APP, create_app(Settings(demo=True)))]
    assert paths[1] - paths[0] == {"/v1/demo/break"}


def structs_in(kind: Any) -> list[type]:
    """The structs that a type is made of, at its top."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in getattr(kind, "__args__", ()) for found in structs_in(part)]


def test_no_field_of_a_body_has_the_name_of_a_dependency():
    """Litestar takes what is wrong with such a field for a defect of the server, and answers 500."""
    bodies = {
        struct
        for route in APP.routes
        for handler in getattr(route, "route_handlers", ())
        for struct in structs_in(handler.fn.__annotations__.get("data"))
    }
    assert len(bodies) > 10
    assert {(body, name) for body in bodies for name in body.__struct_fields__ if name in APP.dependencies} == set()


def test_no_request_waits_for_a_thread_to_learn_whether_it_is_allowed():
    """Litestar runs a plain function in a thread, behind whatever else waits for one."""
    guards = {
        guard
        for route in APP.routes
        for handler in getattr(route, "route_handlers", ())
        for guard in handler.guards or ()
    }
    assert len(guards) > 5
    assert [guard for guard in guards if not inspect.iscoroutinefunction(guard)] == []
