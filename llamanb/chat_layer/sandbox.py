"""The one jinja environment for chat templates: what it allows, and where it checks.

Templates are parsed, then every place where the interpreter would work on its
own (loops, ``~``, comparisons, literals, slices, dictionary keys) is rewritten
into a call of a checking filter; operators, calls and joins have hooks in jinja2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jinja2 import BaseLoader, ChainableUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from llamanb.chat_layer.budget import current_budget
from llamanb.chat_layer.filters import bounded_filters, bounded_tests, to_text
from llamanb.chat_layer.operations import (
    FORMAT_METHODS,
    allowed_method,
    bounded_format,
    check_call,
    check_operator,
    fill_missing,
)
from llamanb.errors import TemplateLimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jinja2.lexer import Token, TokenStream
    from jinja2.parser import Parser
    from jinja2.runtime import Context

__all__ = ["BoundedEnvironment", "LenientUndefined"]

MAX_TOKENS = 20_000
_EACH, _JOINED, _MADE, _WEIGHED = "each item", "joined text", "made value", "weighed value"


class LenientUndefined(ChainableUndefined):
    """Something the messages lack: empty text, also through ``a.b.c``."""


class _GenerationTag(Extension):
    """Read Hugging Face's ``{% generation %}…{% endgeneration %}`` as its content."""

    tags = {"generation"}  # noqa: RUF012  # as jinja2 declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Give the statements between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _TokenLimit(Extension):
    """Bound the work of parsing and compiling."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Pass tokens on, up to a limit."""
        step = current_budget().step
        for number, token in enumerate(stream):
            step()
            if number > MAX_TOKENS:
                raise TemplateLimitError(f"the chat template has more than {MAX_TOKENS:,} tokens")
            yield token


class _NoFolding(CodeGenerator):
    """Compute nothing while compiling: ``{{ 'a' * 10**9 }}`` would be folded."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Write one node, within the time."""
        current_budget().step()
        return super().visit(node, *args, **kwargs)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


def _checked(name: str, node: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _unless_constant(name: str, node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _checked(name, node)


class _Guard(NodeTransformer):
    """Rewrite a parsed template so that it asks before it works."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Count the turns of a loop."""
        self.generic_visit(node)
        node.iter = _checked(_EACH, cast("nodes.Expr", node.iter))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Join ``a ~ b`` within the text limit."""
        self.generic_visit(node)
        return _checked(_JOINED, nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Weigh both sides of a comparison."""
        self.generic_visit(node)
        node.expr = _unless_constant(_WEIGHED, node.expr)
        for operand in node.ops:
            operand.expr = _unless_constant(_WEIGHED, operand.expr)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Weigh what is hashed as a key."""
        self.generic_visit(node)
        node.key = _unless_constant(_WEIGHED, node.key)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Count the copy that a slice makes."""
        self.generic_visit(node)
        return _checked(_MADE, node) if isinstance(node.arg, nodes.Slice) else node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Count a literal, but not the names that a loop or ``set`` assigns to."""
        self.generic_visit(node)
        return _checked(_MADE, node) if node.ctx == "load" else node

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Count a literal."""
        self.generic_visit(node)
        return _checked(_MADE, node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802  # jinja2's naming
        """Count a literal."""
        self.generic_visit(node)
        return _checked(_MADE, node)


class _Each:
    """An iterable that counts its turns and keeps its length."""

    __slots__ = ("_source",)

    def __init__(self, source: Any) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[Any]:
        step = current_budget().step
        for item in self._source:
            step()
            yield item


def _joined(parts: list[object]) -> str:
    texts = [to_text(part) for part in parts]
    return _concat(texts)


def _made(value: object) -> object:
    current_budget().step()
    current_budget().charge_result(value)
    return value


def _weighed(value: object) -> object:
    if not isinstance(value, str):
        current_budget().weigh(value)
    return value


def _concat(chunks: Iterable[str]) -> str:
    texts = chunks if isinstance(chunks, list) else list(chunks)
    current_budget().charge_text(sum(map(len, texts)))
    return "".join(texts)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Hugging Face's dialect of jinja2, with every operation inside the budget."""

    code_generator_class = _NoFolding
    concat = staticmethod(_concat)
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(
            loader=BaseLoader(),
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            undefined=LenientUndefined,
            finalize=to_text,
            extensions=[_GenerationTag, _TokenLimit, loopcontrols],
            cache_size=0,
        )
        own = {_EACH: _Each, _JOINED: _joined, _MADE: _made, _WEIGHED: _weighed}
        self.filters.clear()
        self.filters.update(bounded_filters() | own)
        self.tests.clear()
        self.tests.update(bounded_tests())
        del self.globals["lipsum"]

    def guarded_source(self, source: str) -> nodes.Template:
        """Parse ``source`` and put the checks into it."""
        tree = self.parse(source)
        _Guard().visit(tree)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute an operator, if its result is small enough."""
        if operator == "+":
            left, right = fill_missing(left, right)
        check_operator(operator, left, right)
        result = super().call_binop(context, operator, left, right)
        current_budget().charge_result(result)
        return result

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, if its result is small enough."""
        check_call(function, args, kwargs)
        result = super().call(context, function, *args, **kwargs)
        current_budget().charge_result(result)
        return result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Say whether a template may read ``obj.attr``."""
        allowed = allowed_method(obj, attr)
        if allowed is None:
            return super().is_safe_attribute(obj, attr, value)
        return allowed

    def unsafe_undefined(self, obj: Any, attribute: str) -> Any:
        """Refuse an attribute outright."""
        raise SecurityError(f"a chat template may not use {type(obj).__name__}.{attribute}")

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read ``obj.attribute``."""
        if isinstance(obj, str) and attribute in FORMAT_METHODS:
            return bounded_format(obj)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read ``obj[argument]``."""
        if isinstance(obj, str) and argument in FORMAT_METHODS:
            return bounded_format(obj)
        if isinstance(argument, tuple):
            current_budget().weigh(argument)
        return super().getitem(obj, argument)
