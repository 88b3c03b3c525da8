"""Programs that use a server of this process: their settings, and running them.

``llamanb.clients`` is this module.
"""

from __future__ import annotations

from llamanb.integrations.claude_code import claude_code, claude_code_env
from llamanb.integrations.codex import codex, codex_config
from llamanb.integrations.opencode import opencode, opencode_config
from llamanb.integrations.snippets import client_snippets

__all__ = [
    "claude_code",
    "claude_code_env",
    "client_snippets",
    "codex",
    "codex_config",
    "opencode",
    "opencode_config",
]
