"""The output syntax of model families, as data.

Each family says how one call is written, given a tool, and what stands around
calls and reasoning. Sources: the families' own chat templates.
"""

from llamanb.chat_layer.syntax.families.argument_keys import GLM, GLM_DENSE, HUNYUAN, LING
from llamanb.chat_layer.syntax.families.channels import FUNCTIONARY_3_2, MUSE, SOLAR
from llamanb.chat_layer.syntax.families.dsml import DEEPSEEK_V3_2, DEEPSEEK_V4
from llamanb.chat_layer.syntax.families.family import Family
from llamanb.chat_layer.syntax.families.harmony import HARMONY
from llamanb.chat_layer.syntax.families.json_calls import (
    APERTUS,
    APRIEL,
    COMMAND_R,
    COMMAND_R_PLUS,
    FIREFUNCTION,
    GIGACHAT,
    GIGACHAT_3,
    GRANITE_3,
    HERMES,
    LLAMA,
    MINIMAX_M1,
    MISTRAL_ARRAY,
    NEMOTRON_NANO,
    PHI_4,
)
from llamanb.chat_layer.syntax.families.kimi_k3 import KIMI_K3
from llamanb.chat_layer.syntax.families.minimax_m3 import MINIMAX_M3
from llamanb.chat_layer.syntax.families.named_json import (
    DEEPSEEK_R1,
    DEEPSEEK_V3,
    FUNCTIONARY_3_1,
    KIMI_K2,
    MISTRAL_NAMED,
)
from llamanb.chat_layer.syntax.families.python_like import GEMMA_4, LFM2
from llamanb.chat_layer.syntax.families.tagged import MINICPM, MINIMAX_M2, QWEN_CODER, SEED

__all__ = ["FAMILIES", "HERMES", "Family", "describe"]

_TAGGED = (
    *(KIMI_K3, DEEPSEEK_V4, DEEPSEEK_V3_2, MINIMAX_M3, MINIMAX_M2, MINICPM),
    *(SEED, QWEN_CODER, HUNYUAN, LING, GLM, GLM_DENSE),
)
_NAMED = (MISTRAL_NAMED, GEMMA_4, LFM2, KIMI_K2, DEEPSEEK_R1, DEEPSEEK_V3, FUNCTIONARY_3_1)
_JSON = (
    *(MISTRAL_ARRAY, COMMAND_R, COMMAND_R_PLUS, GRANITE_3, PHI_4, GIGACHAT, GIGACHAT_3),
    *(APERTUS, MINIMAX_M1, APRIEL, NEMOTRON_NANO, FIREFUNCTION, LLAMA, HERMES),
)
FAMILIES = (HARMONY, SOLAR, MUSE, FUNCTIONARY_3_2, *_TAGGED, *_NAMED, *_JSON)


def describe(template_source: str) -> Family | None:
    """Give the family whose output syntax a template's text shows, if it is a known one."""
    found = next((family for family in FAMILIES if family.matches(template_source)), None)
    return found.variant(template_source) if found and found.variant else found
