"""An independent rendering of chat templates, as Hugging Face's library does it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from jinja2.nodes import Node
    from jinja2.parser import Parser

NOW = datetime(2026, 1, 2, 3, 4, 5)


class _Generation(jinja2.ext.Extension):
    tags = {"generation"}  # noqa: RUF012  # as jinja2 declares it

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Plain(ImmutableSandboxedEnvironment):
    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, list) and attr in ("append", "pop"):
            return True
        return super().is_safe_attribute(obj, attr, value)


def _tojson(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=options.pop("ensure_ascii", False), **options)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def render_plainly(source: str, variables: dict[str, Any]) -> str:
    environment = _Plain(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    copied = json.loads(json.dumps(variables))
    text: str = environment.from_string(source).render(
        raise_exception=_refuse, strftime_now=NOW.strftime, **copied
    )
    return text
