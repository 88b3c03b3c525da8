"""Renders a model's chat template, bounded in time, memory, source and output."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2
from jinja2.exceptions import TemplateSyntaxError, UndefinedError

from llamanb.chat_layer.budget import DEADLINE_S, MAX_SOURCE_BYTES, Budget, spending
from llamanb.chat_layer.sandbox import BoundedEnvironment
from llamanb.errors import TemplateError, TemplateLimitError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["render_template"]

_WIDE_TIME = re.compile(r"%[^a-zA-Z%]*\d")
MAX_TIME_FORMAT_CHARS = 256


def render_template(
    source: str,
    variables: Mapping[str, Any],
    *,
    now: datetime | None = None,
    deadline_s: float = DEADLINE_S,
) -> str:
    """Render ``source`` with ``variables``.

    Parameters
    ----------
    source : the template, at most 256 KiB.
    variables : what the template sees: ``messages``, ``tools``, ``bos_token`` …
    now : what ``strftime_now`` shows; the current local time by default.
    deadline_s : seconds it may take.

    Raises
    ------
    TemplateError
        If the template is malformed, or refuses the messages (with its own words).
    TemplateLimitError
        If it needs more time, memory, steps or output than it may have.

    Examples
    --------
    >>> render_template("{{ messages[0].content | trim }}", {"messages": [{"content": " hi "}]})
    'hi'
    """
    with spending(Budget(deadline_s)) as budget:
        try:
            template = _compile(source)
            return _write(template, budget, {**_functions(now), **variables})
        except TemplateError:
            raise
        except (MemoryError, RecursionError) as error:
            raise TemplateLimitError(f"the chat template is too deep or large: {error}") from error
        except Exception as error:
            raise TemplateError(_describe(error)) from error


def _write(template: jinja2.Template, budget: Budget, variables: dict[str, Any]) -> str:
    chunks = []
    for chunk in template.generate(variables):
        budget.step()
        budget.emit(len(chunk))
        chunks.append(chunk)
    return "".join(chunks)


def _describe(error: Exception) -> str:
    if isinstance(error, TemplateSyntaxError):
        return f"the chat template is malformed in line {error.lineno}: {error.message}"
    if isinstance(error, UndefinedError):
        return f"the chat template uses something it was not given: {error}"
    return f"the chat template failed: {type(error).__name__}: {error}"


@cache
def _environment() -> BoundedEnvironment:
    return BoundedEnvironment()


@lru_cache(maxsize=128)
def _compile(source: str) -> jinja2.Template:
    if len(source) > MAX_SOURCE_BYTES or len(source.encode("utf-8", "replace")) > MAX_SOURCE_BYTES:
        raise TemplateLimitError(
            f"the chat template is larger than {MAX_SOURCE_BYTES >> 10} KiB: {len(source):,} characters"
        )
    environment = _environment()
    code = environment.compile(environment.guarded_source(source))
    return jinja2.Template.from_code(environment, code, environment.make_globals(None))


def _functions(now: datetime | None) -> dict[str, Any]:
    def strftime_now(pattern: str) -> str:
        if len(pattern) > MAX_TIME_FORMAT_CHARS or _WIDE_TIME.search(pattern):
            raise TemplateLimitError("the chat template formats the time with too large a width")
        return (now or datetime.now().astimezone()).strftime(pattern)

    return {"raise_exception": _refuse, "strftime_now": strftime_now}


def _refuse(message: object = "") -> NoReturn:
    raise TemplateError(str(message))
