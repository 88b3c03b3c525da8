"""Local GGUF models in a Jupyter kernel: magics, a chat widget and servers."""

from __future__ import annotations

__version__ = "0.1.0"
