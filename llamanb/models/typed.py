"""Python types as targets: the JSON Schema of what is wanted, and the value read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from llamanb.errors import ExtractionError, OptionError
from llamanb.models.tidy import QuietSchema, tidy_schema
from llamanb.models.typed_dicts import with_known_typed_dicts

if TYPE_CHECKING:
    from llamanb.engine.values import FinishReason

__all__ = ["Target", "target_of"]

_SHOWN_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A type that a model's answer is to have.

    Attributes
    ----------
    name : what error messages call it.
    schema : its JSON Schema, without titles.
    adapter : what checks an answer.
    """

    name: str
    schema: dict[str, Any]
    adapter: TypeAdapter[Any]

    @property
    def description(self) -> str:
        """What a model is told about the answer."""
        schema = json.dumps(self.schema, ensure_ascii=False)
        return f"Answer with JSON only, without any other text. It must match this JSON Schema:\n{schema}"

    def read(self, text: str, finish_reason: FinishReason | str) -> Any:
        """Give the value that an answer describes.

        Raises
        ------
        ExtractionError
            If the answer was cut off, or does not fit the type; it has the text.
        """
        if finish_reason not in {"stop", "tool_calls"}:
            raise self._cut(text, finish_reason)
        try:
            return self.adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the answer"
            raise ExtractionError(
                f"the answer is no {self.name}: {place}: {first['msg']}; it was {_shown(text)}",
                text=text,
                finish_reason=finish_reason,
            ) from error

    def _cut(self, text: str, finish_reason: str) -> ExtractionError:
        why = (
            "max_tokens ran out: pass a larger max_tokens="
            if finish_reason == "length"
            else f"it was {finish_reason}"
        )
        return ExtractionError(
            f"the answer ends before its JSON is complete; {why}. So far it is {_shown(text)}",
            text=text,
            finish_reason=finish_reason,
        )


def target_of(data_model: Any) -> Target:
    """Make a target of whatever pydantic can describe in JSON.

    That is a pydantic model, a dataclass, TypedDict, NamedTuple, Enum, Literal,
    ``list[int]``, ``int | None`` and so on.

    Raises
    ------
    OptionError
        If it is no type, or one that JSON cannot express.
    """
    name = getattr(data_model, "__name__", None) or str(data_model)
    if isinstance(data_model, str | bytes | dict | list | int | float | None):
        raise OptionError(
            f"data_model={data_model!r} is not possible: give a type, such as a pydantic model"
        )
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(with_known_typed_dicts(data_model))
        schema = adapter.json_schema(schema_generator=QuietSchema)
    except (PydanticUserError, TypeError, NameError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(f"{name} cannot be described in JSON: {reason}") from error
    return Target(name=name, schema=tidy_schema(schema), adapter=adapter)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else "… " + text[-_SHOWN_CHARS:])
