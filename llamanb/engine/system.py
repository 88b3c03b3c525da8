"""What this machine offers to llama.cpp."""

from __future__ import annotations

import importlib.metadata
import platform

from llamanb.engine.abort_net import is_installed
from llamanb.engine.native import library
from llamanb.engine.threads import usable_cores

__all__ = ["system_info"]


def system_info() -> dict[str, object]:
    """Describe the native library and the machine, for bug reports.

    Gives versions, the cores this process may use, whether layers can go to a
    GPU, whether aborts are caught, and llama.cpp's own list of CPU features.
    """
    api = library().api
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "llama_cpp_python": importlib.metadata.version("llama-cpp-python"),
        "cores": usable_cores(),
        "gpu_offload": bool(api.llama_supports_gpu_offload()),
        "mmap": bool(api.llama_supports_mmap()),
        "mlock": bool(api.llama_supports_mlock()),
        "aborts_are_caught": is_installed(),
        "features": api.llama_print_system_info().decode("utf-8", "replace").strip(),
    }
