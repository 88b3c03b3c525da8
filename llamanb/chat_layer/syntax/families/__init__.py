"""The output syntax of model families, as data.

Each family says how one call is written, given a tool, and what stands around
calls and reasoning. Sources: the families' own chat templates.
"""

from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.families.harmony import HARMONY
from llamanb.chat_layer.syntax.families.json_calls import HERMES, LLAMA, MISTRAL_ARRAY
from llamanb.chat_layer.syntax.families.named_json import MISTRAL_NAMED
from llamanb.chat_layer.syntax.families.tagged import QWEN_CODER

__all__ = ["FAMILIES", "HERMES", "Family", "describe"]

FAMILIES = (HARMONY, QWEN_CODER, MISTRAL_NAMED, MISTRAL_ARRAY, LLAMA, HERMES)


def describe(template_source: str) -> Family | None:
    """Give the family whose output syntax a template's text shows, if it is a known one."""
    return next((family for family in FAMILIES if family.matches(template_source)), None)
