"""``llamanb serve``: a model over HTTP, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llamanb.cli.announcing import announce, show_requests
from llamanb.cli.flags import add_server_flags, is_given, options_of
from llamanb.errors import InsufficientMemoryError, OptionError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from llamanb.models import Model
    from llamanb.servers import Server

__all__ = [
    "add_command",
    "add_server_words",
    "ends_on_sigterm",
    "key_given",
    "run",
    "started",
]

PORT = 8080
DESCRIPTION = """\
Serve a model over HTTP, in the dialects of OpenAI and Anthropic, until Ctrl-C.
Options have llama-server's names."""


def add_command(commands: Any) -> None:
    """Add ``serve`` to the sub-commands."""
    parser = commands.add_parser(
        "serve",
        help="serve a model over HTTP to OpenAI and Anthropic clients",
        usage="llamanb serve [MODEL] [port] [n_ctx] [options]",
        description=DESCRIPTION,
        allow_abbrev=False,
    )
    add_server_words(parser)
    parser.add_argument(
        "--selftest", action="store_true", help="ask one question in each dialect, and end"
    )
    parser.set_defaults(run=run)


def add_server_words(parser: argparse.ArgumentParser) -> None:
    """Add ``MODEL [port] [n_ctx]`` and every option of a server."""
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="a file, org/repo:QUANT or demo; LLAMANB_MODEL, else the bundled toy",
    )
    parser.add_argument("port", nargs="?", metavar="port", help="the same as --port")
    parser.add_argument("n_ctx", nargs="?", metavar="n_ctx", help="the same as --ctx-size")
    add_server_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, or test it; give the exit code."""
    port = 0 if arguments.selftest else PORT
    with ends_on_sigterm(), started(arguments, port=port) as server:
        announce(server, key_is_new=not key_given(arguments))
        if arguments.selftest:
            from llamanb.cli.trial import selftest

            return selftest(server)
        server.wait()
    return 0


def started(arguments: argparse.Namespace, *, port: int, n_ctx: int | None = None) -> Server:
    """Load the model and start the server that a command line asks for.

    Parameters
    ----------
    port : where nothing else is asked for.
    n_ctx : tokens of context where nothing else is asked for; less is taken, and
        said, where it does not fit.
    """
    import llamanb

    _name_words(arguments)
    for note in arguments.ignored:
        _note(note)
    if options_of(arguments, "log"):
        llamanb.set_log_level("INFO")
    options = {
        "port": port,
        **options_of(arguments, "serve"),
        **_thinking(arguments),
        **_key(arguments),
    }
    server = llamanb.serve(_loaded(arguments, n_ctx), **options)
    if options_of(arguments, "log"):
        show_requests(server)
    return server


def key_given(arguments: argparse.Namespace) -> bool:
    """Whether the command line brings a key of its own."""
    return is_given(arguments, "serve.api_key") or is_given(arguments, "key.file")


@contextmanager
def ends_on_sigterm() -> Iterator[None]:
    """Leave the block, and so stop what it started, on SIGTERM, too; the exit code is 0."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _loaded(arguments: argparse.Namespace, n_ctx: int | None) -> Model:
    import llamanb

    spec, options = _spec(arguments), _load_options(arguments)
    if n_ctx is None or is_given(arguments, "load.n_ctx"):
        return llamanb.load(spec, **options)
    # One cache for all, so that a giant prompt and small side requests fit together.
    options = {"kv_unified": True, **options}
    try:
        return llamanb.load(spec, n_ctx=n_ctx, **options)
    except InsufficientMemoryError as error:
        if not error.largest_n_ctx:
            raise
        _note(f"{n_ctx:,} tokens of context do not fit into memory; {error.largest_n_ctx:,} do")
        return llamanb.load(spec, n_ctx=error.largest_n_ctx, **options)


def _name_words(arguments: argparse.Namespace) -> None:
    """Sort out the words: with -m or -hf, the first one is the port."""
    words = [arguments.model, arguments.port, arguments.n_ctx]
    if options_of(arguments, "model").keys() & {"file", "repo"}:
        words.insert(0, None)
        if words.pop() is not None:
            raise OptionError(f"the model is named twice: {arguments.model!r}, and with -m or -hf")
    arguments.model, port, n_ctx = words
    for name, word, long in (("serve.port", port, "--port"), ("load.n_ctx", n_ctx, "--ctx-size")):
        if word is not None and is_given(arguments, name):
            raise OptionError(f"{long} is given twice: {word!r} is the same")
        if word is not None:
            setattr(arguments, name, _number(word, long))


def _number(word: str, name: str) -> int:
    if not word.isdecimal():
        raise OptionError(f"{word!r} stands where {name} may stand, and is not a number")
    return int(word)


def _spec(arguments: argparse.Namespace) -> str | None:
    where = options_of(arguments, "model")
    if "file" in where and "repo" in where:
        raise OptionError("-m and -hf both name a model; give one of them")
    if "repo_file" in where and "repo" not in where:
        raise OptionError(f"--hf-file {where['repo_file']!r} needs --hf-repo")
    if "repo_file" in where:
        return f"{where['repo'].partition(':')[0]}/{where['repo_file']}"
    named: str | None = where.get("file") or where.get("repo") or arguments.model
    return named


def _load_options(arguments: argparse.Namespace) -> dict[str, Any]:
    options, where = options_of(arguments, "load"), options_of(arguments, "model")
    if "rerank" in where:
        options = {"embedding": True, "pooling": "rank", **options}
    if "template" in where or "template_file" in where:
        options["chat_template"] = _template(where)
    return options


def _template(where: dict[str, Any]) -> str:
    if "template_file" in where:
        return _text_of(where["template_file"], "--chat-template-file")
    template = str(where["template"])
    if "{" not in template:
        raise OptionError(
            f"--chat-template {template!r} is no Jinja template; for one in a file there is"
            " --chat-template-file, and a template of llama.cpp cannot be named"
        )
    return template


def _text_of(path: str, flag: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise OptionError(f"{flag} {path!r} cannot be read: {error}") from None


def _thinking(arguments: argparse.Namespace) -> dict[str, Any]:
    asked = options_of(arguments, "thinking")
    if asked.get("budget") == "0" and asked.get("reasoning") == "on":
        raise OptionError("--reasoning on and --reasoning-budget 0 contradict each other")
    if asked.get("budget") == "0" or asked.get("reasoning") == "off":
        return {"enable_thinking": False}
    return {"enable_thinking": True} if asked.get("reasoning") == "on" else {}


def _key(arguments: argparse.Namespace) -> dict[str, str]:
    """Read the key of --api-key-file: llama-server's format, of which one key is taken."""
    asked = options_of(arguments, "key")
    if not asked:
        return {}
    lines = [line.strip() for line in _text_of(asked["file"], "--api-key-file").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if len(keys) != 1 or is_given(arguments, "serve.api_key"):
        raise OptionError(f"one key is possible; --api-key-file {asked['file']!r} has {len(keys)}")
    return {"api_key": keys[0]}


def _note(text: str) -> None:
    print(f"llamanb: {text}", file=sys.stderr, flush=True)
