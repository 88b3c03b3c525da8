"""``python -m llamanb`` is the ``llamanb`` command."""

from __future__ import annotations

import sys

from llamanb.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
