"""The options of a server on a command line: a row for each, under llama-server's names.

What a row sets is found in the parsed arguments as ``part.name``, if it was given at
all: ``options_of(arguments, "load")`` collects one part.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llamanb.cli.other_flags import IGNORED, REFUSED
from llamanb.settings import KV_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["add_server_flags", "is_given", "options_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One option: its names, what it sets, and how its word is read.

    ``read=None`` is a switch, which sets ``value``; ``is_list`` may stand several times.
    """

    names: tuple[str, ...]
    sets: str
    help: str
    read: Callable[[str], Any] | None = None
    value: Any = True
    metavar: str | None = None
    choices: tuple[str, ...] | None = None
    is_list: bool = False


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add every option, and those of llama-server that mean nothing or are not possible here."""
    for title, flags in GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            _add(group, flag)
    _add_others(parser, IGNORED, _Ignored)
    _add_others(parser, REFUSED, _Refused)
    parser.set_defaults(ignored=())


def options_of(arguments: argparse.Namespace, part: str) -> dict[str, Any]:
    """Give the options of one part that were given, without those that mean "as usual"."""
    prefix = f"{part}."
    given = {
        name.removeprefix(prefix): value
        for name, value in vars(arguments).items()
        if name.startswith(prefix)
    }
    return {name: value for name, value in given.items() if value is not None}


def is_given(arguments: argparse.Namespace, name: str) -> bool:
    """Whether an option, such as ``load.n_ctx``, stands on the command line."""
    return name in vars(arguments)


class _Ignored(argparse.Action):
    """Takes an option that changes nothing here, and notes why."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser, values
        namespace.ignored = (*namespace.ignored, f"{option_string} is ignored: {self.const}")


class _Refused(argparse.Action):
    """Ends with the reason why an option is not possible."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del namespace, values
        parser.error(f"{option_string}: {self.const}")


def _add(group: Any, flag: Flag) -> None:
    options: dict[str, Any] = {"dest": flag.sets, "help": flag.help, "default": argparse.SUPPRESS}
    if flag.read is None:
        group.add_argument(*flag.names, action="store_const", const=flag.value, **options)
        return
    options |= {"type": flag.read, "choices": flag.choices, "metavar": flag.metavar}
    group.add_argument(*flag.names, action="append" if flag.is_list else "store", **options)


def _add_others(
    parser: argparse.ArgumentParser,
    rows: Mapping[str, tuple[str, ...]],
    action: type[argparse.Action],
) -> None:
    """Add options whose row is a reason and their names; ``=`` after a name: it has a value."""
    for reason, names in rows.items():
        for name in names:
            parser.add_argument(
                name.removesuffix("="),
                action=action,
                nargs=_words(name, action),
                const=reason,
                dest="ignored",
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )


def _words(name: str, action: type[argparse.Action]) -> int | str | None:
    if action is _Refused:
        return "*"
    return None if name.endswith("=") else 0


def _unless(read: Callable[[str], float], *usual: float) -> Callable[[str], float | None]:
    """Read a number of which some mean "as usual"."""

    def number(text: str) -> float | None:
        value = read(text)
        return None if value in usual else value

    number.__name__ = read.__name__  # argparse's message says "invalid int value"
    return number


def _layers(text: str) -> int:
    if text in ("auto", "all"):
        return -1
    if not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, 'auto' or 'all'")
    return int(text)


def _bias(text: str) -> tuple[int, float]:
    """Read ``15043+1`` or ``15043-1``: a token and what is added to its logit."""
    found = re.fullmatch(r"(\d+)([+-](?:\d+\.?\d*|inf))", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a token and a number, such as 15043-1.5")
    return int(found[1]), float(found[2])


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


GROUPS: dict[str, tuple[Flag, ...]] = {
    "model": (
        Flag(names=("-m", "--model"), sets="model.file", read=str, metavar="FILE", help="the model, instead of the first word"),
        Flag(names=("-hf", "-hfr", "--hf-repo"), sets="model.repo", read=str, metavar="ORG/REPO[:QUANT]", help="a model on Hugging Face"),
        Flag(names=("-hff", "--hf-file"), sets="model.repo_file", read=str, metavar="FILE", help="this file of the repository"),
        Flag(names=("-hft", "--hf-token"), sets="load.token", read=str, metavar="TOKEN", help="access token of Hugging Face"),
        Flag(names=("-a", "--alias"), sets="serve.name", read=str, metavar="NAME", help="what clients call the model"),
        Flag(names=("-c", "--ctx-size"), sets="load.n_ctx", read=_unless(int, 0), metavar="N", help="tokens that one prompt and its answer may have together (0: chosen by model and memory)"),
        Flag(names=("-np", "--parallel"), sets="load.n_seq_max", read=_unless(int, -1), metavar="N", help="requests answered side by side (4)"),
        Flag(names=("-kvu", "--kv-unified"), sets="load.kv_unified", help="let all requests share one cache of tokens"),
        Flag(names=("-no-kvu", "--no-kv-unified"), sets="load.kv_unified", value=False, help="give each request its own part of the cache"),
        Flag(names=("-ctk", "--cache-type-k"), sets="load.type_k", read=str, choices=KV_TYPES, metavar="TYPE", help="numbers of the cache's keys (f16)"),
        Flag(names=("-ctv", "--cache-type-v"), sets="load.type_v", read=str, choices=KV_TYPES, metavar="TYPE", help="numbers of the cache's values (f16)"),
        Flag(names=("-fa", "--flash-attn"), sets="load.flash_attn", read=str, choices=("on", "off", "auto"), help="flash attention (auto)"),
        Flag(names=("--embedding", "--embeddings"), sets="load.embedding", help="serve vectors instead of text"),
        Flag(names=("--rerank", "--reranking"), sets="model.rerank", help="serve scores of documents for a question"),
        Flag(names=("--pooling",), sets="load.pooling", read=str, choices=("none", "mean", "cls", "last", "rank"), help="how token vectors become one"),
        Flag(names=("--chat-template",), sets="model.template", read=str, metavar="JINJA", help="a chat template instead of the model's own"),
        Flag(names=("--chat-template-file",), sets="model.template_file", read=str, metavar="FILE", help="the same, from a file"),
        Flag(names=("--sleep-idle-seconds",), sets="load.ttl", read=_unless(float, -1), metavar="S", help="give the memory back after S seconds without a request; the next one loads again"),
    ),
    "machine": (
        Flag(names=("-t", "--threads"), sets="load.n_threads", read=_unless(int, -1), metavar="N", help="threads that write (all cores but one)"),
        Flag(names=("-tb", "--threads-batch"), sets="load.n_threads_batch", read=_unless(int, -1), metavar="N", help="threads that read prompts"),
        Flag(names=("-b", "--batch-size"), sets="load.n_batch", read=int, metavar="N", help="tokens of a prompt read in one step (2048)"),
        Flag(names=("-ub", "--ubatch-size"), sets="load.n_ubatch", read=int, metavar="N", help="of these computed at once (512)"),
        Flag(names=("-ngl", "--gpu-layers", "--n-gpu-layers"), sets="load.n_gpu_layers", read=_layers, metavar="N", help="layers on a GPU (all)"),
        Flag(names=("-sm", "--split-mode"), sets="load.split_mode", read=str, choices=("none", "layer", "row"), help="how several GPUs share a model (layer)"),
        Flag(names=("-mg", "--main-gpu"), sets="load.main_gpu", read=int, metavar="N", help="the first GPU (0)"),
        Flag(names=("--mmap",), sets="load.use_mmap", help="map the file (as usual)"),
        Flag(names=("--no-mmap",), sets="load.use_mmap", value=False, help="read the file instead of mapping it"),
        Flag(names=("--mlock",), sets="load.use_mlock", help="keep the model from the swap"),
    ),
    "answers whose request does not say": (
        Flag(names=("-n", "--predict", "--n-predict"), sets="serve.max_tokens", read=_unless(int, -1, -2), metavar="N", help="most tokens of an answer (-1: as many as fit)"),
        Flag(names=("-s", "--seed"), sets="serve.seed", read=_unless(int, -1), metavar="N", help="seed (-1: a new one each time)"),
        Flag(names=("--temp", "--temperature"), sets="serve.temperature", read=float, metavar="T", help="temperature (0.8)"),
        Flag(names=("--top-k",), sets="serve.top_k", read=int, metavar="N", help="the N likeliest tokens (40; 0: off)"),
        Flag(names=("--top-p",), sets="serve.top_p", read=float, metavar="P", help="the likeliest that make up P (0.95; 1: off)"),
        Flag(names=("--min-p",), sets="serve.min_p", read=float, metavar="P", help="at least P times as likely as the likeliest (0.05; 0: off)"),
        Flag(names=("--typical", "--typical-p"), sets="serve.typical_p", read=float, metavar="P", help="locally typical sampling (1: off)"),
        Flag(names=("--repeat-last-n",), sets="serve.repeat_last_n", read=int, metavar="N", help="tokens that penalties look back on (64)"),
        Flag(names=("--repeat-penalty",), sets="serve.repeat_penalty", read=float, metavar="X", help="penalty of repetition (1: off)"),
        Flag(names=("--presence-penalty",), sets="serve.presence_penalty", read=float, metavar="X", help="penalty of tokens that occurred (0: off)"),
        Flag(names=("--frequency-penalty",), sets="serve.frequency_penalty", read=float, metavar="X", help="penalty by how often they did (0: off)"),
        Flag(names=("-l", "--logit-bias"), sets="serve.logit_bias", read=_bias, metavar="TOKEN(+/-)X", is_list=True, help="make a token likelier or less likely; may be repeated"),
        Flag(names=("--ignore-eos",), sets="serve.ignore_eos", help="go on after the end of an answer"),
        Flag(names=("-rea", "--reasoning"), sets="thinking.reasoning", read=str, choices=("on", "off", "auto"), help="whether to think first (auto: as the template does)"),
        Flag(names=("--reasoning-budget",), sets="thinking.budget", read=str, choices=("0", "-1"), help="0: do not think; -1: as long as it takes"),
        Flag(names=("--reasoning-format",), sets="thinking.format", read=str, choices=("auto", "deepseek"), help="thoughts are always told apart from the answer"),
        Flag(names=("--strip-thinking",), sets="serve.strip_thinking", help="never show thoughts to clients"),
    ),
    "server": (
        Flag(names=("--host",), sets="serve.host", read=str, metavar="ADDRESS", help="address to listen on (127.0.0.1); another one needs a key"),
        Flag(names=("--port",), sets="serve.port", read=int, metavar="N", help="port to listen on (0: a free one)"),
        Flag(names=("--api",), sets="serve.apis", read=_parts, metavar="NAMES", help="openai, anthropic or openai,anthropic (both)"),
        Flag(names=("--api-key",), sets="serve.api_key", read=str, metavar="KEY", help="what clients must send"),
        Flag(names=("--api-key-file",), sets="key.file", read=str, metavar="FILE", help="the same, from a file, which other users do not see in the list of processes"),
        Flag(names=("--cors-origins",), sets="serve.cors_origins", read=_parts, metavar="ORIGINS", help="web pages that may use the server, with commas between them (none)"),
        Flag(names=("--allowed-hosts",), sets="serve.allowed_hosts", read=_parts, metavar="NAMES", help="names, beside this machine's own, by which clients may call it"),
        Flag(names=("--metrics",), sets="serve.metrics", help="answer /metrics (as usual)"),
        Flag(names=("--no-metrics",), sets="serve.metrics", value=False, help="do not"),
        Flag(names=("--slots",), sets="serve.slots", help="answer /slots (as usual)"),
        Flag(names=("--no-slots",), sets="serve.slots", value=False, help="do not"),
        Flag(names=("-to", "--timeout"), sets="serve.body_timeout_s", read=float, metavar="S", help="seconds in which a request must have arrived (30)"),
        Flag(names=("--sse-ping-interval",), sets="serve.ping_s", read=float, metavar="S", help="seconds of silence in a stream until a ping (10)"),
        Flag(names=("-v", "--verbose", "--log-verbose"), sets="log.verbose", help="show each request, and what llama.cpp logs"),
    ),
}  # fmt: skip
