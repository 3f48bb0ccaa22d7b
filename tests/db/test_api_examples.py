"""/api/docs: a scheme for tokens, and examples that the real validators take."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ninja.operation import Operation

from chatproject.api import api

DOCUMENT = api.get_openapi_schema()


def operations() -> list[tuple[str, Operation]]:
    return [
        (f"/api/{'/'.join(filter(None, [router.prefix.strip('/'), path.strip('/')]))}", operation)
        for router in api._get_bound_routers()
        for path, view in router.path_operations.items()
        for operation in view.operations
    ]


def described(operation: Operation) -> dict[str, Any]:
    """The description of an operation."""
    name = operation.operation_id or api.get_openapi_operation_id(operation)
    [found] = {
        id(told): told
        for methods in DOCUMENT["paths"].values()
        for told in methods.values()
        if told["operationId"] == name
    }.values()
    return dict(found)


@pytest.mark.parametrize(
    "operation", [operation for _, operation in operations()], ids=[p for p, _ in operations()]
)
def test_each_example_is_taken_by_the_validators_of_its_operation(operation: Operation) -> None:
    told = described(operation)
    assert "curl" in told["description"]
    for model in operation.models:
        source = model.__ninja_param_source__
        if source == "body":
            given = told["requestBody"]["content"]["application/json"]["example"]
            names = list(model.model_fields)
            data: dict[str, Any] = {names[0]: given} if len(names) == 1 else given
        else:
            flat = {p["name"]: p["example"] for p in told["parameters"] if p["in"] == source}
            data = model._map_data_paths(flat)
        model.model_validate(data)


def test_each_answer_has_an_example_that_fits_its_schema() -> None:
    checked = 0
    for path, methods in DOCUMENT["paths"].items():
        for told in methods.values():
            for answer in told["responses"].values():
                content = answer.get("content", {}).get("application/json")
                if content is None:
                    continue
                schema = {**content["schema"], "components": DOCUMENT["components"]}
                errors = list(Draft202012Validator(schema).iter_errors(content["example"]))
                assert errors == [], (path, content["example"])
                checked += 1
    assert checked > 100


def test_every_operation_takes_a_bearer_token() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    assert DOCUMENT["security"] == [{"Bearer": []}]
