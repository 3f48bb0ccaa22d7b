"""The description of the API: bodies and answers of one name are two schemas."""

from __future__ import annotations

from typing import Any

from ninja.openapi.schema import OpenAPISchema
from ninja.params.models import TModel
from pydantic.json_schema import JsonSchemaMode

_PLACE = "#/components/schemas/"


class Description(OpenAPISchema):
    """Ninja's description, in which the schema of a body has a name of its own.

    Ninja keeps one schema for each name, and the last one takes the place of the others.
    """

    _suffix = ""

    def _create_schema_from_model(
        self,
        model: TModel,
        by_alias: bool = True,  # noqa: FBT001, FBT002 (ninja's)
        remove_level: bool = True,  # noqa: FBT001, FBT002 (ninja's)
        mode: JsonSchemaMode = "validation",
    ) -> tuple[dict[str, Any], bool]:
        self._suffix = "Body" if mode == "validation" else ""
        try:
            schema, is_required = super()._create_schema_from_model(
                model, by_alias, remove_level, mode
            )
            return self._renamed(schema), is_required
        finally:
            self._suffix = ""

    def add_schema_definitions(self, definitions: dict[str, Any]) -> None:
        """Keep schemas by their names."""
        named = {f"{name}{self._suffix}": self._renamed(told) for name, told in definitions.items()}
        for name, told in named.items():
            if self.schemas.setdefault(name, told) != told:
                raise ValueError(f"two types of the API have the name {name}")

    def _renamed(self, part: Any) -> Any:
        """Return a part of a schema whose references have the names that are kept."""
        if isinstance(part, list):
            return [self._renamed(each) for each in part]
        if not isinstance(part, dict):
            return part
        return {
            key: f"{value}{self._suffix}"
            if key == "$ref" and isinstance(value, str) and value.startswith(_PLACE)
            else self._renamed(value)
            for key, value in part.items()
        }
