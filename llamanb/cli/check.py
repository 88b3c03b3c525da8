"""``llamanb lab --check``: run a notebook in a real kernel and show what each cell answered."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from llamanb.errors import MissingExtraError, OptionError

__all__ = ["answer_lines", "check_notebook", "first_line"]

CELL_TIMEOUT_S = 120
MAX_ANSWER_LINES = 12
MAX_LINE = 160
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TAG = re.compile(r"<(style|script)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


def check_notebook(notebook: Path) -> int:
    """Run every cell, print its first line and its answer; give the exit code.

    The kernel is this Python, with its own temporary profile and working
    folder, so that neither the user's IPython settings nor the notebook's
    folder matter. 0 means that every cell ran, 1 that one failed.

    Raises
    ------
    OptionError
        If the file cannot be read as a notebook.
    MissingExtraError
        If nbclient, which comes with the extra ``lab``, is not installed.
    """
    if importlib.util.find_spec("nbclient") is None:
        raise MissingExtraError(
            "`llamanb lab --check` needs nbclient; install it with: pip install 'llamanb[lab]'"
        )
    print(f"checking {notebook}", flush=True)
    with tempfile.TemporaryDirectory(prefix="llamanb-check-") as scratch:
        return _run(notebook, Path(scratch))


def first_line(source: str) -> str:
    """Give the first line of a cell; a cell magic brings the first line below it along."""
    lines = [line for line in source.splitlines() if line.strip()] or ["(empty cell)"]
    shown = lines[:2] if lines[0].startswith("%%") else lines[:1]
    return " | ".join(shown) + (" …" if len(lines) > len(shown) else "")


def answer_lines(outputs: list[Any]) -> list[str]:
    """Give what the outputs of one cell say, as plain text lines.

    ``outputs`` are a code cell's in notebook format 4. Long answers are cut at
    12 lines; terminal colours and HTML tags are dropped.
    """
    text = "\n".join(filter(None, (_text_of(output).rstrip() for output in outputs)))
    lines = [line.rstrip()[:MAX_LINE] for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_ANSWER_LINES:
        lines[MAX_ANSWER_LINES:] = [f"… {len(lines) - MAX_ANSWER_LINES} more lines"]
    return lines


def _run(notebook: Path, scratch: Path) -> int:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = _client(notebook, scratch)
    try:
        client.execute(env=_kernel_environment(scratch))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return _report_failure(error)
    count = sum(cell.cell_type == "code" for cell in client.nb.cells)
    print(f"\n{count} code cells ran without an error")
    return 0


def _client(notebook: Path, scratch: Path) -> Any:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    # No kernel folders: "python3" is then this interpreter, whatever else is installed.
    specs = KernelSpecManager(kernel_dirs=[])
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    kernel.connection_file = str(scratch / "kernel.json")
    return NotebookClient(
        _read(notebook),
        km=kernel,
        timeout=CELL_TIMEOUT_S,
        extra_arguments=["--log-level=ERROR"],  # not "running over TCP without encryption"
        resources={"metadata": {"path": str(scratch)}},
        on_cell_executed=_print_cell,
    )


def _read(notebook: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise OptionError(f"{str(notebook)!r} is not a notebook: {reason[:MAX_LINE]}") from None


def _kernel_environment(scratch: Path) -> dict[str, str]:
    """Give an environment in which cells show one final answer and no progress bars."""
    quiet = {"LLAMANB_STREAM": "0", "LLAMANB_PROGRESS": "0"}
    return {**os.environ, **quiet, "IPYTHONDIR": str(scratch / "ipython")}


def _print_cell(cell: Any, cell_index: int, execute_reply: Any) -> None:
    del cell_index, execute_reply
    if cell.cell_type != "code":
        return
    print(f"\n> {first_line(cell.source)}")
    for line in answer_lines(cell.outputs) or ["(no output)"]:
        print(f"    {line}")
    sys.stdout.flush()


def _report_failure(error: Exception) -> int:
    name, value = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", "")
    print(f"\nthe cell failed: {name}: {value}".rstrip(": "), file=sys.stderr)
    return 1


def _text_of(output: Any) -> str:
    if output.output_type == "stream":
        return ANSI.sub("", str(output.text))
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return _text_of_bundle(output.data)


def _text_of_bundle(bundle: Any) -> str:
    """Give the most readable text of a display: Markdown, plain text, or HTML without tags."""
    plain = str(bundle.get("text/plain", ""))
    if "text/markdown" in bundle:
        return str(bundle["text/markdown"])
    if "text/html" in bundle and (not plain or plain.startswith("<")):
        return html.unescape(TAG.sub(" ", str(bundle["text/html"])))
    return ANSI.sub("", plain)
