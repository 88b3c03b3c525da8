"""How hub models and the files in their repositories are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SHARD_NAME", "HubSpec", "choose_file", "is_model_file", "parse_hub_spec", "part_names"]

SHARD_NAME = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
NOT_MODELS = re.compile(r"(^|[^a-z])(mmproj|imatrix|lora|adapter)", re.IGNORECASE)
PREFERRED = (
    "Q4_K_M",
    "Q4_K_S",
    "Q5_K_M",
    "Q4_0",
    "Q6_K",
    "Q8_0",
    "IQ4_XS",
    "IQ4_NL",
    "F16",
    "BF16",
)
FILE_ENDINGS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx")
PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
HUB_PATTERN = re.compile(
    rf"(?P<repo>{PART}/{PART}?)(?::(?P<quant>[A-Za-z0-9_.-]{{1,40}})|/(?P<file>[^:\0]+\.gguf))?"
)
HUB_ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/"
    r"(?P<repo>[^/?#]+/[^/?#]+)(?:/(?:blob|resolve)/[^/?#]+/(?P<file>[^?#]+\.gguf))?/?(?:\?.*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSpec:
    """A model on the hub: a repository and either a quantization or a file of it."""

    repo: str
    quantization: str | None = None
    file: str | None = None

    @property
    def cache_name(self) -> str:
        """The folder that huggingface_hub keeps this repository in."""
        return f"models--{self.repo.replace('/', '--')}"

    def choose(self, names: Iterable[str]) -> str | None:
        """Give the file among ``names`` that this asks for; None if it is not there."""
        if self.file is not None:
            return self.file if self.file in set(names) else None
        return choose_file(names, self.quantization)


def parse_hub_spec(text: str) -> HubSpec | None:
    """Read ``org/repo[:QUANT]``, ``org/repo/file.gguf`` or a hub address; None if it is none."""
    match = HUB_ADDRESS.fullmatch(text)
    if match is None and not _is_plain_path(text):
        match = HUB_PATTERN.fullmatch(text)
    if match is None or ".." in text:
        return None
    groups = match.groupdict()
    return HubSpec(repo=groups["repo"], quantization=groups.get("quant"), file=groups.get("file"))


def _is_plain_path(text: str) -> bool:
    """Whether a slash in ``text`` separates folders rather than owner and repository."""
    if text.startswith(("/", ".", "~", "\\")) or "/" not in text:
        return True
    if text.count("/") == 1 and text.endswith(FILE_ENDINGS):
        return True
    return Path(text.split("/", maxsplit=1)[0]).is_dir()


def choose_file(names: Iterable[str], quantization: str | None = None) -> str | None:
    """Choose the file of a quantization (``Q4_K_M``), or the usual one when None.

    Of a split model the first part is given; None if nothing matches.
    """
    models = sorted(name for name in names if is_model_file(name))
    if quantization is not None:
        return next((name for name in models if _has_quantization(name, quantization)), None)
    usual = ((q, name) for q in PREFERRED for name in models if _has_quantization(name, q))
    return next((name for _, name in usual), models[0] if models else None)


def is_model_file(name: str) -> bool:
    """Whether a file name is that of a model, not of a projector, adapter or later part."""
    base = PurePosixPath(name).name
    match = SHARD_NAME.match(base)
    is_later_part = match is not None and int(match["number"]) != 1
    return base.lower().endswith(".gguf") and not is_later_part and not NOT_MODELS.search(base)


def _has_quantization(name: str, quantization: str) -> bool:
    pattern = rf"(^|[^A-Za-z0-9]){re.escape(quantization)}([^A-Za-z0-9_]|$)"
    return re.search(pattern, name, re.IGNORECASE) is not None


def part_names(name: str) -> list[str]:
    """Give the names of all parts of a split model; the name itself if it is whole."""
    match = SHARD_NAME.match(name)
    if match is None:
        return [name]
    count = min(int(match["count"]), 1000)
    return [f"{match['stem']}-{n:05d}-of-{match['count']}.gguf" for n in range(1, count + 1)]
