"""Which models are resident in this kernel, and where their files come from.

The package also behaves like its one :class:`ModelManager`: ``llamanb.models["demo"]``,
``llamanb.models.ps()``, ``llamanb.models.configure(ttl="30m")``.
"""

from __future__ import annotations

import sys

from llamanb.models.completion import AsyncTextStream, Completion, TextStream
from llamanb.models.kernel import ManagerRoom, load, manager, ps, unload
from llamanb.models.manager import ModelManager
from llamanb.models.model import Model
from llamanb.models.preflight import GgufHeader, check_file
from llamanb.models.table import ModelRow, ModelTable

__all__ = [
    "AsyncTextStream",
    "Completion",
    "GgufHeader",
    "Model",
    "ModelManager",
    "ModelRow",
    "ModelTable",
    "TextStream",
    "check_file",
    "load",
    "manager",
    "ps",
    "unload",
]

sys.modules[__name__].__class__ = ManagerRoom
