"""A talk as a file: to read, to go on with, or to run again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from llamanb.errors import OptionError
from llamanb.notebook.chat.cells import notebook_json, talk_cells
from llamanb.notebook.chat.script import talk_script
from llamanb.notebook.chat.twin import chat_html, chat_markdown, talk_title

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from llamanb.notebook.chat.parts import TalkView

__all__ = ["FORMATS", "ExportedFile", "export_talk", "talk_cells", "write_talk"]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
# What JupyterLab's themes would set, for a page of its own.
_LIGHT = "--jp-ui-font-color1:#1b1f24;--jp-ui-font-color2:#57606a;--jp-border-color2:#d0d7de"
_DARK = (
    "--jp-ui-font-color1:#e6edf3;--jp-ui-font-color2:#9198a1;--jp-border-color2:#3d444d;"
    "--jp-layout-color2:#262c36;--jp-error-color1:#ff7b72;--jp-mirror-editor-keyword-color:#7ee787;"
    "--jp-mirror-editor-string-color:#ffa198;--jp-mirror-editor-comment-color:#9198a1;"
    "--jp-mirror-editor-number-color:#79c0ff;--jp-mirror-editor-def-color:#79c0ff;"
    "--jp-mirror-editor-builtin-color:#7ee787;--jp-mirror-editor-operator-color:#d2a8ff"
)
_SHEET = (
    f":root{{color-scheme:light dark;{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_DARK}}}body{{background:#0d1117}}}}"
    "body{margin:24px auto;padding:0 16px;max-width:56em;color:var(--jp-ui-font-color1)}"
    "p{margin:0.5em 0}"
    "pre{overflow-x:auto;padding:8px 12px;border-radius:6px;background:rgba(127,127,127,0.12)}table{border-collapse:collapse}"
    "td,th{border:1px solid var(--jp-border-color2);padding:2px 8px}"
    "a{color:LinkText}"
)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that is not written yet."""

    name: str
    mime: str
    text: str


def export_talk(talk: TalkView, format: str) -> ExportedFile:
    """Give ``talk`` as a file of one of ``FORMATS``.

    Raises
    ------
    OptionError
        If the format is unknown.
    """
    if format not in FORMATS:
        raise OptionError(f"unknown format {format!r}; known are {', '.join(FORMATS)}")
    mime, write = _WRITERS[format]
    return ExportedFile(f"chat.{format}", mime, write(talk))


def write_talk(talk: TalkView, path: str | os.PathLike[str]) -> Path:
    """Write ``talk`` to a file in the format of its suffix, and give its path.

    Raises
    ------
    OptionError
        If the suffix is unknown.
    """
    target = Path(path).expanduser()
    suffix = target.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        endings = ", ".join(f".{one}" for one in FORMATS)
        raise OptionError(f"{str(path)!r} must end in one of {endings}")
    target.write_text(export_talk(talk, suffix).text, encoding="utf-8")
    return target


def _page(talk: TalkView) -> str:
    title = escape(talk_title(talk))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_SHEET}</style>\n</head>\n"
        f"<body>\n{chat_html(talk)}\n</body>\n</html>\n"
    )


def _facts(talk: TalkView) -> str:
    """Give what ``Session.from_json`` reads, and what else is known."""
    start = next((n for n, m in enumerate(talk.messages) if m["role"] != "system"), None)
    written = {
        "system_prompt": talk.system_prompt or None,
        "messages": [] if start is None else talk.messages[start:],
        "model": talk.model,
        "sampling": talk.sampling,
    }
    text = json.dumps(written, ensure_ascii=False, indent=1, default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


_WRITERS: dict[str, tuple[str, Callable[[TalkView], str]]] = {
    "md": ("text/markdown", chat_markdown),
    "html": ("text/html", _page),
    "json": ("application/json", _facts),
    "py": ("text/x-python", talk_script),
    "ipynb": ("application/x-ipynb+json", notebook_json),
}
FORMATS = tuple(_WRITERS)
