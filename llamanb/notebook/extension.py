"""Put the magics into an IPython shell, and take them out again.

Chats and settings are kept on the shell, so that loading twice, ``%reload_ext`` and
autoreload keep them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "register_if_ipython", "unload_ipython_extension"]

_HOOKS = "_llamanb_hooks"
_NAME = "LlamaMagics"


def register_if_ipython() -> bool:
    """Register the magics if this process runs an IPython shell; give whether it does.

    Costs a dictionary look-up where IPython was not imported.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None  # type: ignore[union-attr]  # hasattr implies a module
    if shell is None:
        return False
    load_ipython_extension(shell)
    return True


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%llama`` and ``%%llama``; harmless when repeated."""
    from llamanb.notebook.magics import LlamaMagics

    present = shell.magics_manager.registry.get(_NAME)
    if type(present) is LlamaMagics and hasattr(shell, _HOOKS):
        return
    _remove(shell)
    magics = LlamaMagics(shell)
    shell.register_magics(magics)
    _add_hooks(shell, magics)
    from llamanb.notebook.displays import register_displays

    register_displays(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove the magics and every hook, and stop the servers; models and chats stay.

    Harmless when repeated.
    """
    _remove(shell)
    if "llamanb.servers" in sys.modules:
        from llamanb.servers import registry

        registry().stop()


def _remove(shell: InteractiveShell) -> None:
    from llamanb.notebook.displays import unregister_displays

    for hooks, hook in shell.__dict__.pop(_HOOKS, []):
        if hook in hooks:
            hooks.remove(hook)
    unregister_displays(shell)
    present = shell.magics_manager.registry.pop(_NAME, None)
    if present is None:
        return
    if present in shell.configurables:
        shell.configurables.remove(present)
    for table in shell.magics_manager.magics.values():
        for name in [name for name, method in table.items() if _owner(method) is present]:
            del table[name]


def _add_hooks(shell: InteractiveShell, magics: Any) -> None:
    from llamanb.notebook.completion import make_matcher
    from llamanb.notebook.input_rules import AskQuestion, make_cell_rule

    hooks: list[tuple[list[Any], Any]] = [
        (shell.input_transformers_post, make_cell_rule(shell)),
        (shell.input_transformer_manager.token_transformers, AskQuestion),
    ]
    if shell.Completer is not None:
        hooks.append((shell.Completer.custom_matchers, make_matcher(shell.Completer, magics.names)))
    for listeners, hook in hooks:
        listeners.append(hook)
    shell.__dict__[_HOOKS] = hooks


def _owner(method: Any) -> Any:
    return getattr(method, "__self__", None)
