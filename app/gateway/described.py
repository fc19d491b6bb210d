"""The events as AsyncAPI 3.0 describes them: made of the same types that are sent."""

from typing import Any

import msgspec

from app.gateway.events import SHAPES, CloudEvent
from app.gateway.webhooks import CONTENT_TYPE

SCHEMAS = "#/components/schemas/"


def document(version: str) -> dict[str, Any]:
    """The description; `version` is the API's."""
    shapes = sorted(set(SHAPES.values()), key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components([CloudEvent, *shapes], ref_template=SCHEMAS + "{name}")
    messages = {name: _message(name, shape.__name__) for name, shape in SHAPES.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Postrider events",
            "version": version,
            "description": "CloudEvents 1.0 in JSON: at least once, of one subject in order, with the same id again.",
        },
        "defaultContentType": CONTENT_TYPE.partition(";")[0],
        "channels": {
            "webhook": {
                "address": "{url}",
                "description": "Sent by POST to the address of a webhook, signed as Standard Webhooks says.",
                "parameters": {"url": {"description": "As given to POST /v1/webhooks."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {"send": {"action": "send", "channel": {"$ref": "#/channels/webhook"}}},
        "components": {"messages": messages, "schemas": schemas},
    }


def _message(name: str, shape: str) -> dict[str, Any]:
    told = {"type": {"const": name}, "data": {"$ref": f"{SCHEMAS}{shape}"}}
    return {
        "name": name,
        "contentType": CONTENT_TYPE.partition(";")[0],
        "payload": {"allOf": [{"$ref": f"{SCHEMAS}{CloudEvent.__name__}"}, {"properties": told}]},
    }
