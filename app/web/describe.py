"""
What Litestar's OpenAPI leaves out: every operation may answer with a problem (RFC 9457).

It is described when somebody asks first: that takes as long as half of all else that an API process begins with.
"""

from dataclasses import fields
from typing import Any

from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI, OpenAPIMediaType, OpenAPIResponse, Operation, Reference, Schema
from litestar.openapi.spec.enums import OpenAPIType

from app.web.problems import PROBLEM_JSON

PROBLEM = Schema(
    title="Problem",
    description="An error (RFC 9457); `code` is stable, `errors` says what was wrong and where.",
    type=OpenAPIType.OBJECT,
    required=["type", "title", "status", "detail", "code"],
    properties={
        "type": Schema(type=OpenAPIType.STRING),
        "title": Schema(type=OpenAPIType.STRING),
        "status": Schema(type=OpenAPIType.INTEGER),
        "detail": Schema(type=OpenAPIType.STRING),
        "code": Schema(type=OpenAPIType.STRING),
        "trace_id": Schema(type=OpenAPIType.STRING),
        "errors": Schema(
            type=OpenAPIType.ARRAY,
            items=Schema(
                type=OpenAPIType.OBJECT,
                properties={
                    "pointer": Schema(type=OpenAPIType.STRING, description="JSON Pointer (RFC 6901)"),
                    "detail": Schema(type=OpenAPIType.STRING),
                },
            ),
        ),
    },
)


class Description(OpenAPI):
    """Of an API: where it is read, every operation's `default` answer is a problem."""

    def to_schema(self) -> dict[str, Any]:
        """As a document."""
        _document_problems(self)
        return super().to_schema()


class DescriptionConfig(OpenAPIConfig):
    """How Litestar makes one."""

    def to_openapi_schema(self) -> Description:
        """What it begins with; the paths are Litestar's."""
        made = super().to_openapi_schema()
        return Description(**{field.name: getattr(made, field.name) for field in fields(made)})


def _document_problems(schema: OpenAPI) -> None:
    """Litestar's own shape of a 400 is not ours."""
    assert schema.components.schemas is not None
    schema.components.schemas["Problem"] = PROBLEM
    problem = OpenAPIResponse(
        description="An error",
        content={PROBLEM_JSON: OpenAPIMediaType(schema=Reference(ref="#/components/schemas/Problem"))},
    )
    for item in (schema.paths or {}).values():
        for method in ("get", "put", "post", "delete", "patch", "head"):
            operation: Operation | None = getattr(item, method)
            if operation is not None:
                documented = {code: answer for code, answer in (operation.responses or {}).items() if code < "4"}
                operation.responses = {**documented, "default": problem}
