"""The decorator that makes a Python function a tool."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from llamanb.conversation.tools.description import Description, checked_name, describe
from llamanb.conversation.tools.docstrings import read_docstring
from llamanb.conversation.tools.functions import (
    doc_of,
    is_async,
    is_coroutine_function,
    is_in_class_body,
    name_of,
    unwrapped,
)
from llamanb.conversation.tools.results import result_text
from llamanb.conversation.tools.running import (
    await_in_thread,
    run_here,
    run_in_thread,
    settled,
    settled_here,
)
from llamanb.conversation.tools.signature import caller_names, plain_signature
from llamanb.errors import OptionError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from llamanb.conversation.tools.outcome import ToolOutcome

__all__ = ["Tool", "make_tool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")


class Tool(Generic[P, R]):
    """A function that a model may ask for; made by ``tool`` and ``as_tool``.

    Calling it calls the function, as before. In a class it is a method: it must be
    taken from an instance to be used as a tool.

    Attributes
    ----------
    name : what models call it.
    function : the function as it was written.
    approve : whether it is approved beforehand: it may run without asking anybody.
    timeout : seconds a call may take, or None.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        approve: bool = False,
        timeout: float | None = None,
        names: Mapping[str, Any] | None = None,
        shared: dict[str, Description] | None = None,
    ) -> None:
        plain = unwrapped(function)
        self.function = function
        self.name = checked_name(name or name_of(function))
        self.approve = approve
        self.timeout = _checked_timeout(timeout)
        self._documented = read_docstring(doc_of(function))
        self._shared = {} if shared is None else shared
        self._is_unbound = False
        self._is_async = is_async(function)
        self.__name__ = self.name
        self.__qualname__ = getattr(plain, "__qualname__", self.name)
        self.__module__ = getattr(plain, "__module__", None) or "builtins"
        self.__doc__ = self._documented.summary
        self.__wrapped__ = function
        self.__signature__ = plain_signature(_callable_part(function))
        if not is_in_class_body(function):
            self._describe_early(names or {})

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, as if it were no tool."""
        return self.function(*args, **kwargs)

    @property
    def schema(self) -> dict[str, Any]:
        """The definition in OpenAI's shape, a fresh copy."""
        return self.description.openai()

    @property
    def anthropic_schema(self) -> dict[str, Any]:
        """The definition in Anthropic's shape, a fresh copy."""
        return self.description.anthropic()

    @property
    def description(self) -> Description:
        """What a model is told about the tool.

        Raises
        ------
        OptionError
            For a method that was not taken from an instance, and for types a model
            cannot write as JSON.
        """
        if self._is_unbound:
            raise OptionError(f"{self.name} is a method: take it from an instance of its class")
        if "it" not in self._shared:
            try:
                self._describe({})
            except NameError as error:
                raise OptionError(f"{self.name}: a type is not known here: {error}") from error
        return self._shared["it"]

    @property
    def can_run(self) -> bool:
        """Whether there is something to run, not a definition alone."""
        return True

    def call(
        self, arguments_json: str = "{}", *, stop: threading.Event | None = None
    ) -> ToolOutcome:
        """Check a model's arguments, run the tool, and give what came of it.

        Runs in a thread of its own (coroutines on an event loop there), so that a
        time limit, an interrupt and ``stop`` work. Whatever the tool raises becomes an
        outcome with ``is_error``; only an interrupt of the waiting thread gets through.

        Examples
        --------
        >>> get_weather.call('{"city": "Oslo"}').content
        """
        return run_in_thread(functools.partial(self._work, arguments_json), self.timeout, stop)

    async def acall(self, arguments_json: str = "{}") -> ToolOutcome:
        """Do the same without blocking: coroutines run on this event loop, all else in a thread."""
        if self._is_async:
            return await run_here(functools.partial(self._work_here, arguments_json), self.timeout)
        return await await_in_thread(functools.partial(self._work, arguments_json), self.timeout)

    def __get__(self, instance: object, owner: type | None = None) -> Tool[..., R]:
        """Bind the function as a method, like any function in a class."""
        bind = getattr(self.function, "__get__", None)
        bound: Any = bind(instance, owner) if bind else self.function
        if bound is self.function:
            return self
        method: Tool[..., R] = make_tool(bound, shared=self._shared, **self._options())
        return method

    def __set_name__(self, owner: type, name: str) -> None:
        written_here = self.__qualname__ == f"{owner.__qualname__}.{name}"
        self._is_unbound = written_here and inspect.isfunction(self.function)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by name if the tool took its function's place, else with the function."""
        if _found(self.__module__, self.__qualname__) is self:
            return self.__qualname__
        return _rebuilt, (self.function, self._options())

    def __repr__(self) -> str:
        return f"<Tool {self.name}{inspect.signature(_callable_part(self.function))}>"

    def _options(self) -> dict[str, Any]:
        return {"name": self.name, "approve": self.approve, "timeout": self.timeout}

    def _describe_early(self, names: Mapping[str, Any]) -> None:
        try:
            self._describe(names)
        except NameError:  # a type that is defined further down; looked up on first use
            return

    def _describe(self, names: Mapping[str, Any]) -> None:
        if "it" not in self._shared:  # the methods of a class share one
            self._shared["it"] = describe(self.function, self.name, self._documented, names)
        signature = self._shared["it"].signature
        if signature is not None:
            self.__signature__ = signature

    def _work(self, arguments_json: str) -> str:
        args, kwargs = self.description.read(arguments_json)
        return result_text(settled(self.function(*args, **kwargs), self.timeout))

    async def _work_here(self, arguments_json: str) -> str:
        args, kwargs = self.description.read(arguments_json)
        return result_text(await settled_here(self.function(*args, **kwargs)))


class _AsyncTool(Tool[P, Coroutine[Any, Any, R]]):
    """A tool whose function is a coroutine function, and which looks like one."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Await the function, as if it were no tool."""
        return await self.function(*args, **kwargs)


def make_tool(function: Any, **options: Any) -> Tool[..., Any]:
    """Make the right kind of tool; options as for ``tool``."""
    if isinstance(function, Tool):
        return function
    if not callable(function) and not isinstance(function, classmethod):
        raise OptionError(f"{function!r} cannot be a tool: it is not callable")
    kind: Any = _AsyncTool if is_coroutine_function(function) else Tool
    made: Tool[..., Any] = kind(function, **options)
    return made


@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    approve: bool = ...,
    timeout: float | None = ...,
    name: str | None = ...,
) -> Tool[P, R]: ...
@overload
def tool(
    *, approve: bool = ..., timeout: float | None = ..., name: str | None = ...
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    approve: bool = False,
    timeout: float | None = None,
    name: str | None = None,
) -> Any:
    """Make a function a tool that models can call.

    What the model is told comes from the type hints and from the docstring, in
    Google, NumPy or Sphinx style. Types may be all that pydantic can describe in
    JSON; ``Annotated[T, "text"]`` and ``Annotated[T, Field(description="text")]``
    describe an argument at its hint.

    Parameters
    ----------
    function : a function, method or other callable, sync or async.
    approve : approve all its calls beforehand; by default each call is asked for.
    timeout : seconds a call may take; None for no limit.
    name : what models call it, instead of the function's own name.

    Raises
    ------
    OptionError
        For ``*args``, ``**kwargs`` and types that a model cannot write as JSON.

    Examples
    --------
    >>> @llamanb.tool
    ... def add(a: int, b: int = 1) -> int:
    ...     "Add two numbers."
    ...     return a + b
    >>> add.call('{"a": 2}').content
    '3'
    """
    options: dict[str, Any] = {
        "approve": approve,
        "timeout": timeout,
        "name": name,
        "names": caller_names(1),
    }
    if function is None:
        return functools.partial(make_tool, **options)
    return make_tool(function, **options)


def _rebuilt(function: Any, options: dict[str, Any]) -> Tool[..., Any]:
    return make_tool(function, **options)


def _found(module: str, qualname: str) -> object:
    place: object = sys.modules.get(module)
    for part in qualname.split("."):
        place = getattr(place, part, None)
    return place


def _callable_part(function: Any) -> Any:
    return function.__func__ if isinstance(function, classmethod) else function


def _checked_timeout(timeout: Any) -> float | None:
    if timeout is None:
        return None
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not math.isfinite(timeout) or timeout <= 0:
        raise OptionError(
            f"timeout={timeout!r} is not possible: it must be seconds above 0, or None"
        )
    return float(timeout)
