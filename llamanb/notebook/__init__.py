"""IPython magics, cell output and widgets."""

from llamanb.notebook.extension import (
    load_ipython_extension,
    register_if_ipython,
    unload_ipython_extension,
)

__all__ = ["load_ipython_extension", "register_if_ipython", "unload_ipython_extension"]
