"""Claude Code against a server of this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llamanb.integrations.programs import chat_name, require_api, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llamanb.servers import Server

__all__ = ["claude_code", "claude_code_env"]

# The main model, and those behind the names it uses for sub-agents, titles and summaries.
MODEL_VARIABLES = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
)
# Other accounts and providers, which would win over the address given here.
OTHER_PROVIDERS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_SIMPLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_VERTEX",
)
# What a user may have set to something better.
CHOICES = ("API_TIMEOUT_MS", "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE", "CLAUDE_CODE_MAX_OUTPUT_TOKENS")
FIRST_PROMPT = 24_576  # tokens: with all its tools, and room for one answer
SMALL_MODEL = 4_000_000_000  # parameters: a smaller model is lost among two dozen tools
ASSUMED_WINDOW = 200_000  # what it takes for the context of a model it does not know
MOST_KEPT_FREE = 20_000  # what it keeps free of that for the answer
ONE_HOUR_MS = 3_600_000


def claude_code_env(srv: Server, *, small: bool | None = None) -> dict[str, str]:
    """Give the environment variables with which Claude Code uses a server.

    Parameters
    ----------
    small : start it with three tools and a prompt of about 1,000 tokens instead of
        two dozen and 12,000 to 19,000 (``CLAUDE_CODE_SIMPLE``); None: where the
        context is below 24,576 tokens or the model below 4 billion parameters.

    Raises
    ------
    OptionError
        If the server does not speak the Anthropic dialect, or has no chat model.

    Examples
    --------
    >>> llamanb.clients.claude_code_env(srv)["ANTHROPIC_BASE_URL"]
    'http://127.0.0.1:11435'
    """
    require_api(srv, "anthropic", "Claude Code")
    name, answer_tokens = chat_name(srv), _answer_tokens(srv.n_ctx)
    is_small = _is_small(srv) if small is None else small
    return {
        "ANTHROPIC_BASE_URL": srv.url,
        # A token is used at once; before it uses an API key of its environment, it asks.
        "ANTHROPIC_AUTH_TOKEN": srv.api_key or "local",
        "ANTHROPIC_API_KEY": "",
        **dict.fromkeys(MODEL_VARIABLES, name),
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",  # it changes with every run: no prefix would fit
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(answer_tokens),
        "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE": _compact_at(srv.n_ctx, answer_tokens),
        "API_TIMEOUT_MS": str(ONE_HOUR_MS),
        **({"CLAUDE_CODE_SIMPLE": "1"} if is_small else {}),
    }


def claude_code(srv: Server, args: Sequence[str] = (), *, small: bool | None = None) -> int:
    """Run ``claude`` against a server and give its exit code.

    In a notebook it needs a question on its command line. What this process's
    environment says about ``CLAUDE_CODE_MAX_OUTPUT_TOKENS``, ``API_TIMEOUT_MS`` and
    ``CLAUDE_AUTOCOMPACT_PCT_OVERRIDE`` is kept.

    Raises
    ------
    MissingExtraError
        If Claude Code is not installed.
    OptionError
        As :func:`claude_code_env`.

    Examples
    --------
    >>> llamanb.clients.claude_code(srv, ["-p", "What is in this folder?"])
    """
    chosen = {name: os.environ[name] for name in CHOICES if name in os.environ}
    environment = claude_code_env(srv, small=small) | chosen
    return run_program("claude", args, environment=environment, without=OTHER_PROVIDERS)


def _is_small(srv: Server) -> bool:
    return srv.n_ctx < FIRST_PROMPT or srv.model.info.n_params < SMALL_MODEL


def _answer_tokens(n_ctx: int) -> int:
    return max(256, min(n_ctx // 4, 32_000))


def _compact_at(n_ctx: int, answer_tokens: int) -> str:
    """Give the per cent of the window it assumes at which this context is nearly full."""
    usable = ASSUMED_WINDOW - min(answer_tokens, MOST_KEPT_FREE)
    return f"{min(100.0, 100 * (n_ctx - answer_tokens) / usable):.2f}"
