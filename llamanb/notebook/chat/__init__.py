"""The chat widget: a talk with a model in the notebook, and everything behind its answers."""

from __future__ import annotations

__all__: list[str] = []
