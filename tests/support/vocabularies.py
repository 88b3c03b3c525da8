"""Small vocabularies made from nothing, and real ones read from the sdist.

The made-up ones hold every byte and some two-letter syllables (``ba``, `` ba``),
so any text has tokens and a random model writes something like words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import gguf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Vocabulary", "byte_bpe", "from_file", "qwen3", "sentencepiece", "wordpiece"]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SYLLABLES = tuple(a + b for a, b in product("bcdfghjklmnprstvwxyz", "aeiou"))
CHATML = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% endif %}
{%- endif -%}
"""
CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MARKUP_TOKENS = ("<think>", "</think>", "<tool_call>", "</tool_call>")
QWEN3_SPECIALS = (
    *CHATML_TOKENS,
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>"),
    *("<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
    *("<tool_response>", "</tool_response>", "<think>", "</think>"),
)
QWEN3_FIRST_SPECIAL = 151_643


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a GGUF says about its tokens.

    Attributes
    ----------
    model, pre : llama.cpp's tokenizer and pre-tokenizer names.
    silent : ids that a random model should never choose (see ``random_gguf``).
    """

    model: str
    tokens: tuple[bytes, ...]
    types: tuple[int, ...]
    pre: str | None = None
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    bos: int | None = None
    eos: int | None = None
    pad: int | None = None
    unknown: int | None = None
    separator: int | None = None
    mask: int | None = None
    add_bos: bool = False
    chat_template: str | None = None
    rerank_template: str | None = None
    silent: frozenset[int] = frozenset()


def byte_letters() -> dict[int, str]:
    """Give the printable letter that stands for each byte in byte-level BPE.

    Source: GPT-2's ``bytes_to_unicode`` (openai/gpt-2, encoder.py).
    """
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {b: chr(b) for b in kept} | {b: chr(256 + i) for i, b in enumerate(moved)}


def byte_bpe(*, readable: bool = False) -> Vocabulary:
    """Make a byte-level BPE vocabulary of 471 tokens with ChatML markers.

    With ``readable`` only syllables, spaces and full stops are ever chosen.
    """
    letters = byte_letters()
    space = letters[0x20]
    merges = [f"{s[0]} {s[1]}" for s in SYLLABLES] + [f"{space} {s}" for s in SYLLABLES]
    plain = [letters[b] for b in range(256)] + [m.replace(" ", "") for m in merges]
    markers = [*CHATML_TOKENS, *MARKUP_TOKENS]
    first = len(plain)
    quiet = set(range(first, first + len(markers)))
    if readable:
        quiet |= set(range(256)) - {0x2E}
    return Vocabulary(
        model="gpt2",
        pre="qwen2",
        tokens=_encoded([*plain, *markers]),
        types=(NORMAL,) * first + (CONTROL,) * 3 + (USER_DEFINED,) * 4,
        merges=tuple(merges),
        bos=first,
        eos=first + 2,
        pad=first,
        chat_template=CHATML,
        silent=frozenset(quiet),
    )


def sentencepiece() -> Vocabulary:
    """Make a SentencePiece-like vocabulary (``llama`` tokenizer) that adds BOS."""
    markers = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    raw_bytes = [f"<0x{b:02X}>" for b in range(256)]
    letters = ["▁", "\n", *map(chr, range(0x21, 0x7F))]
    words = [*SYLLABLES, *("▁" + s for s in SYLLABLES)]
    plain = [*letters, *words]
    types = (UNKNOWN, *(CONTROL,) * 4, *(BYTE,) * 256, *(NORMAL,) * len(plain))
    ranks = [0.0] * (5 + 256) + [-1000.0 - i for i in range(len(letters))]
    return Vocabulary(
        model="llama",
        pre="default",
        tokens=_encoded([*markers, *raw_bytes, *plain]),
        types=types,
        scores=(*ranks, *(-1.0 - i for i in range(len(words)))),
        unknown=0,
        bos=1,
        eos=2,
        add_bos=True,
        chat_template=CHATML,
        silent=frozenset(range(5)),
    )


def wordpiece() -> Vocabulary:
    """Make a BERT WordPiece vocabulary of letters and syllables."""
    markers = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    ends = [*map(chr, range(0x61, 0x7B)), *map(str, range(10)), *SYLLABLES]
    pieces = [*("▁" + piece for piece in [*ends, *".,?!"]), *ends]
    return Vocabulary(
        model="bert",
        tokens=_encoded([*markers, *pieces]),
        types=(CONTROL,) * 5 + (NORMAL,) * len(pieces),
        pad=0,
        unknown=1,
        bos=2,
        eos=3,
        separator=3,
        mask=4,
    )


def qwen3(vocab_file: Path, template: str) -> Vocabulary:
    """Read llama.cpp's ``ggml-vocab-qwen2.gguf`` and name its specials as Qwen3 does."""
    reader = gguf.GGUFReader(vocab_file)
    tokens = list(_strings(reader, "tokenizer.ggml.tokens"))
    types = [int(t) for t in _numbers(reader, "tokenizer.ggml.token_type")]
    for offset, name in enumerate(QWEN3_SPECIALS):
        tokens[QWEN3_FIRST_SPECIAL + offset] = name.encode()
        types[QWEN3_FIRST_SPECIAL + offset] = CONTROL if "|" in name else USER_DEFINED
    first_unused = QWEN3_FIRST_SPECIAL + len(QWEN3_SPECIALS)
    types[first_unused:] = [UNUSED] * (len(types) - first_unused)
    merges = _strings(reader, "tokenizer.ggml.merges")
    return Vocabulary(
        model="gpt2",
        pre="qwen2",
        tokens=tuple(tokens),
        types=tuple(types),
        merges=tuple(merge.decode() for merge in merges),
        bos=QWEN3_FIRST_SPECIAL,
        eos=QWEN3_FIRST_SPECIAL + 2,
        pad=QWEN3_FIRST_SPECIAL,
        chat_template=template,
    )


def from_file(path: Path, template: str) -> Vocabulary:
    """Read any of llama.cpp's ``ggml-vocab-*.gguf`` as it is."""
    reader = gguf.GGUFReader(path)
    return Vocabulary(
        model=_value(reader, "model"),
        pre=_value(reader, "pre", ""),
        tokens=tuple(_strings(reader, "tokenizer.ggml.tokens")),
        types=tuple(int(t) for t in _numbers(reader, "tokenizer.ggml.token_type")),
        merges=tuple(one.decode() for one in _listed(reader, "merges", _strings)),
        scores=tuple(float(one) for one in _listed(reader, "scores", _numbers)),
        bos=_value(reader, "bos_token_id"),
        eos=_value(reader, "eos_token_id"),
        unknown=_value(reader, "unknown_token_id", None),
        pad=_value(reader, "padding_token_id", None),
        add_bos=_value(reader, "add_bos_token", False),
        chat_template=template,
    )


def _value(reader: gguf.GGUFReader, key: str, *default: Any) -> Any:
    field = reader.fields.get(f"tokenizer.ggml.{key}")
    return default[0] if field is None else field.contents()


def _listed(reader: gguf.GGUFReader, key: str, read: Callable[..., Iterable[Any]]) -> Iterable[Any]:
    name = f"tokenizer.ggml.{key}"
    return read(reader, name) if name in reader.fields else ()


def _encoded(tokens: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(token.encode() for token in tokens)


def _strings(reader: gguf.GGUFReader, key: str) -> Iterable[bytes]:
    field = reader.fields[key]
    return (bytes(field.parts[i]) for i in field.data)


def _numbers(reader: gguf.GGUFReader, key: str) -> Iterable[int]:
    field = reader.fields[key]
    return (field.parts[i][0] for i in field.data)
