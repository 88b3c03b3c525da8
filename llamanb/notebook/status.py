"""What is going on in this kernel: models, servers, chats, settings. What ``%llama`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llamanb.models.kernel import manager
from llamanb.notebook.chat_views import chats_table
from llamanb.notebook.server_commands import servers_table
from llamanb.notebook.settings_command import settings_table
from llamanb.notebook.tables import Tables
from llamanb.servers import registry

if TYPE_CHECKING:
    from llamanb.notebook.state import NotebookState

__all__ = ["Status"]


@dataclass(frozen=True, slots=True)
class Status(Tables):
    """The tables of one moment; a notebook shows the live panel of models in their place."""

    @classmethod
    def of(cls, state: NotebookState) -> Status:
        """Look at this kernel now."""
        servers = [servers_table()] if registry() else []
        return cls((manager().ps(), *servers, chats_table(state), settings_table(state)))
