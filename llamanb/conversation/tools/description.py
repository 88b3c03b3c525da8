"""Everything a model is told about a tool, and how its arguments are read."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from llamanb.conversation.tools.arguments import Arguments, read_arguments
from llamanb.conversation.tools.schema import arguments_model, parameters_schema
from llamanb.conversation.tools.signature import described_signature
from llamanb.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from inspect import Signature

    from llamanb.conversation.tools.docstrings import Documented

__all__ = ["Description", "checked_name", "describe"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what OpenAI's and Anthropic's interfaces allow


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A tool as models and clients see it.

    Attributes
    ----------
    name, summary : what it is called and what it does.
    parameters : JSON Schema of the arguments, an object.
    read : turns a model's JSON text into the arguments of a call.
    signature : the described signature, if there is a Python function.
    """

    name: str
    summary: str
    parameters: Mapping[str, Any]
    read: Callable[[str], Arguments]
    signature: Signature | None = None

    def openai(self) -> dict[str, Any]:
        """Give the definition in OpenAI's shape."""
        function = self._with_parameters("parameters")
        return {"type": "function", "function": function}

    def anthropic(self) -> dict[str, Any]:
        """Give the definition in Anthropic's shape."""
        return self._with_parameters("input_schema")

    def _with_parameters(self, key: str) -> dict[str, Any]:
        parameters = copy.deepcopy(dict(self.parameters))
        return {"name": self.name, "description": self.summary, key: parameters}


def describe(
    function: Callable[..., Any], name: str, documented: Documented, names: Mapping[str, Any]
) -> Description:
    """Describe a Python function.

    Raises
    ------
    OptionError
        If a model could not call it; the message names the parameter.
    NameError
        When an annotation refers to a name that is not defined (yet).
    """
    signature = described_signature(function, documented, names)
    model = arguments_model(name, signature)
    return Description(
        name=name,
        summary=documented.summary,
        parameters=parameters_schema(model),
        read=partial(read_arguments, model=model, signature=signature),
        signature=signature,
    )


def checked_name(name: object) -> str:
    """Give the name back, or raise OptionError if clients would refuse it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"a tool cannot be called {name!r}: give name= with 1 to 64 letters (a-z), "
            "digits, _ or -"
        )
    return name
