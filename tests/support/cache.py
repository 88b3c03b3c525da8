"""The one folder in which tests keep what is slow to make or fetch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Give ``LLAMANB_TEST_CACHE``, else a folder in the platform's user cache."""
    named = os.environ.get("LLAMANB_TEST_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "llamanb-tests"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llamanb-tests"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llamanb-tests"
