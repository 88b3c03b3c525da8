"""One description of a family's output syntax; grammar, parser and examples read it."""

from llamanb.chat_layer.syntax.compose import PLAIN, compose
from llamanb.chat_layer.syntax.description import Block, Description, Thinking, ToolShape
from llamanb.chat_layer.syntax.examples import Example, write_example
from llamanb.chat_layer.syntax.families import FAMILIES, Family, describe
from llamanb.chat_layer.syntax.gbnf import write_gbnf
from llamanb.chat_layer.syntax.lark import write_lark
from llamanb.chat_layer.syntax.message import join_events, parse_syntax
from llamanb.chat_layer.syntax.parser import SyntaxParser

__all__ = [
    "FAMILIES",
    "PLAIN",
    "Block",
    "Description",
    "Example",
    "Family",
    "SyntaxParser",
    "Thinking",
    "ToolShape",
    "compose",
    "describe",
    "join_events",
    "parse_syntax",
    "write_example",
    "write_gbnf",
    "write_lark",
]
