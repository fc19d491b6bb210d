"""The events as AsyncAPI 3.0 describes them: made of the same types that are sent."""

from typing import Any

import msgspec

from app.gateway import commands
from app.gateway.commands import CommandEvent
from app.gateway.events import SHAPES, CloudEvent
from app.gateway.ways import CONTENT_TYPE

SCHEMAS = "#/components/schemas/"


def document(version: str) -> dict[str, Any]:
    """The description; `version` is the API's."""
    shapes = sorted({*SHAPES.values(), *commands.SHAPES.values()}, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components([CloudEvent, CommandEvent, *shapes], ref_template=SCHEMAS + "{name}")
    sent = {name: _message(name, CloudEvent, shape) for name, shape in SHAPES.items()}
    taken = {name: _message(name, CommandEvent, shape) for name, shape in commands.SHAPES.items()}
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
                "messages": _references(sent),
            },
            "events": {
                "address": "postrider.events",
                "description": "Exchange of RabbitMQ, by type as routing key; topic of Kafka, by subject as key; over"
                " MQTT topics such as postrider/porto/order/delivered/{id}.",
                "messages": _references(sent),
            },
            "commands": {
                "address": "postrider.commands",
                "description": "Queue of RabbitMQ; topic of Kafka, by subject as key.",
                "messages": _references(taken),
            },
        },
        "operations": {
            "send": {"action": "send", "channel": {"$ref": "#/channels/webhook"}},
            "publish": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "take": {"action": "receive", "channel": {"$ref": "#/channels/commands"}},
        },
        "components": {"messages": sent | taken, "schemas": schemas},
    }


def _references(messages: dict[str, Any]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in messages}


def _message(name: str, envelope: type, shape: type) -> dict[str, Any]:
    told = {"type": {"const": name}, "data": {"$ref": f"{SCHEMAS}{shape.__name__}"}}
    return {
        "name": name,
        "contentType": CONTENT_TYPE.partition(";")[0],
        "payload": {"allOf": [{"$ref": f"{SCHEMAS}{envelope.__name__}"}, {"properties": told}]},
    }
