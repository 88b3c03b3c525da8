"""Which files are let through to llama.cpp, and what the others are told."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llamanb.errors import ModelFileError, ModelNotFoundError
from llamanb.models import gguf_checks
from llamanb.models.gguf_file import UnreadableError, read_gguf
from llamanb.models.preflight import check_file, file_identity, shard_paths
from tests.models.gguf_bytes import FLOAT32, INT32, STRING, UINT32, Pair, Recipe, TensorRow, array
from tests.support import random_gguf

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = UINT32


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        check_file(path)
    assert caught.value.path == str(path)
    assert caught.value.reason in str(caught.value)
    return str(caught.value)


def test_bundled_chat_model_is_described(demo_path: Path) -> None:
    header = check_file(demo_path)
    assert (header.architecture, header.n_layer, header.n_vocab) == ("qwen3", 5, 2304)
    assert header.n_head_kv == (4,) * 5
    assert header.quantization == "Q8_0"
    assert not header.is_embedding_model
    assert header.chat_template is not None
    assert header.tensor_bytes < demo_path.stat().st_size


def test_bundled_embedding_model_is_recognised(demo_embed_path: Path) -> None:
    assert check_file(demo_embed_path).is_embedding_model


@pytest.mark.parametrize("name", random_gguf.TINY)
def test_random_models_of_several_architectures_pass(name: str) -> None:
    assert check_file(random_gguf.model_path(name)).n_layer > 0


def test_hand_made_file_passes(tmp_path: Path) -> None:
    header = check_file(_write(tmp_path / "a.gguf", Recipe().encode()))
    assert (header.key_length, header.n_head_kv) == (8, (2, 2))


def test_per_layer_heads_are_read(tmp_path: Path) -> None:
    recipe = Recipe().with_pair("llama.attention.head_count_kv", array(UINT32, [2, 0]))
    header = check_file(_write(tmp_path / "a.gguf", recipe.encode()))
    assert header.n_head_kv == (2, 0)


def test_real_vocabularies_are_never_refused(vocab_dir: Path) -> None:
    for path in sorted(vocab_dir.glob("ggml-vocab-*.gguf")):
        with path.open("rb") as file:
            raw = read_gguf(file, path.stat().st_size)
        gguf_checks.check_header(raw)


def test_vocabulary_of_152_000_tokens_takes_less_than_a_second(vocab_dir: Path) -> None:
    path = vocab_dir / "ggml-vocab-qwen2.gguf"
    started = time.perf_counter()
    with path.open("rb") as file:
        gguf_checks.check_header(read_gguf(file, path.stat().st_size))
    assert time.perf_counter() - started < 1.0


def test_second_check_is_remembered(demo_path: Path) -> None:
    assert check_file(demo_path) is check_file(demo_path)


def test_changed_file_is_checked_again(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.gguf", Recipe().encode())
    check_file(path)
    _write(path, b"")
    assert "it is empty" in _refusal(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"model file not found: .*none\.gguf"):
        check_file(tmp_path / "none.gguf")


def test_folder_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "inside.gguf").touch()
    assert "it is a folder; name a file in it: inside.gguf" in _refusal(tmp_path)


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "not a regular file" in _refusal(tmp_path / "pipe.gguf")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(b"GGUF", "truncated", id="magic only"),
        pytest.param(b"PK\x03\x04" + b"\0" * 99, "zip archive", id="zip"),
        pytest.param(b"\n<!DOCTYPE html>" + b" " * 99, "web page", id="html"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull", id="lfs"),
        pytest.param(b"tjgg" + b"\0" * 99, "old GGJT", id="ggjt"),
        pytest.param(b"\x7fELF" + b"\0" * 99, "not a GGUF", id="other"),
    ],
)
def test_wrong_file_is_told_apart(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in _refusal(_write(tmp_path / "a.gguf", content))


def test_truncated_file_says_how_much_is_missing(tmp_path: Path, demo_path: Path) -> None:
    content = demo_path.read_bytes()
    path = _write(tmp_path / "a.gguf", content[: len(content) // 2])
    message = _refusal(path)
    assert "truncated" in message
    assert "again" in message


WRONG_VALUES = [
    ("general.architecture", Pair(kind=STRING, value="clip"), "multimodal projector"),
    ("general.type", Pair(kind=STRING, value="adapter"), "LoRA adapter"),
    ("general.alignment", Pair(kind=NUMBER, value=24), "power of two"),
    ("llama.block_count", Pair(kind=NUMBER, value=0), "block_count=0"),
    ("llama.block_count", Pair(kind=NUMBER, value=513), "block_count=513"),
    ("llama.block_count", Pair(kind=STRING, value="2"), "block_count='2'"),
    ("llama.block_count", Pair(kind=FLOAT32, value=2.0), "block_count=2.0"),
    ("llama.context_length", Pair(kind=NUMBER, value=0), "context_length=0"),
    ("llama.embedding_length", Pair(kind=NUMBER, value=0), "embedding_length=0"),
    ("llama.feed_forward_length", Pair(kind=INT32, value=-1), "feed_forward_length=-1"),
    ("llama.attention.head_count", Pair(kind=NUMBER, value=64), "do not fit a width"),
    ("llama.attention.head_count_kv", Pair(kind=NUMBER, value=3), "cannot share 3"),
    ("llama.attention.head_count_kv", array(UINT32, [2]), "not a list of 2"),
    ("llama.attention.head_count_kv", array(FLOAT32, [2.0, 2.0]), "not a list of 2"),
    ("llama.attention.key_length", Pair(kind=NUMBER, value=0), "key_length=0"),
    ("llama.attention.layer_norm_rms_epsilon", Pair(kind=FLOAT32, value=0.0), "epsilon=0.0"),
    ("llama.attention.layer_norm_rms_epsilon", Pair(kind=FLOAT32, value=float("nan")), "=nan"),
    ("llama.expert_count", Pair(kind=NUMBER, value=2000), "expert_count=2000"),
    ("llama.expert_count", Pair(kind=NUMBER, value=8), "uses 0 of 8 experts"),
    ("llama.expert_used_count", Pair(kind=NUMBER, value=2), "uses 2 of 0 experts"),
    ("llama.rope.dimension_count", Pair(kind=NUMBER, value=7), "does not fit the heads"),
    ("llama.rope.freq_base", Pair(kind=FLOAT32, value=0.0), "freq_base=0.0"),
    ("llama.rope.scaling.type", Pair(kind=STRING, value="magic"), "'magic' is unknown"),
    ("llama.rope.scaling.factor", Pair(kind=FLOAT32, value=float("inf")), "factor=inf"),
    ("llama.pooling_type", Pair(kind=NUMBER, value=9), "pooling_type=9"),
    ("llama.nextn_predict_layers", Pair(kind=NUMBER, value=9), "nextn_predict_layers=9"),
    ("split.count", Pair(kind=STRING, value="2"), "split.count='2'"),
    ("tokenizer.ggml.model", Pair(kind=STRING, value="llama"), "256 byte tokens"),
    ("tokenizer.ggml.model", Pair(kind=STRING, value="bert"), "bos_token_id=101"),
    ("tokenizer.ggml.model", Pair(kind=NUMBER, value=1), "no vocabulary"),
    ("tokenizer.ggml.tokens", array(STRING, ["a"] * 64), "same token twice"),
    ("tokenizer.ggml.tokens", array(STRING, ["a", "b"]), "vocabulary of 2"),
    ("tokenizer.ggml.tokens", array(UINT32, list(range(64))), "is impossible"),
    (
        "tokenizer.ggml.tokens",
        array(STRING, [b"\xff%d" % n for n in range(64)]),
        "not UTF-8",
    ),
    ("tokenizer.ggml.token_type", array(INT32, [1] * 63), "token_type is not a list of 64"),
    ("tokenizer.ggml.token_type", array(FLOAT32, [1.0] * 64), "token_type is not"),
    ("tokenizer.ggml.scores", array(FLOAT32, [1.0]), "scores is not a list of 64"),
    ("tokenizer.ggml.merges", Pair(kind=STRING, value="x"), "merges is not"),
    ("tokenizer.ggml.precompiled_charsmap", array(0, [255, 0, 0, 0, 1]), "shorter than it says"),
    ("tokenizer.chat_template", Pair(kind=STRING, value="x" * (256 << 10 | 1)), "256 KiB"),
    ("x.endless", array(STRING, [], count=1 << 40), "claims"),
    ("x.longer", array(STRING, [], count=1000), "holds a string of"),
    ("x.deep", Pair(kind=9, value=b"\x09\0\0\0" + b"\1" + b"\0" * 7), "unknown type 9"),
    ("x.kind", Pair(kind=99, value=b""), "unknown type 99"),
]


@pytest.mark.parametrize(
    ("key", "pair", "told"),
    [pytest.param(*row, id=f"{row[0]}-{row[2]}") for row in WRONG_VALUES],
)
def test_impossible_value_is_refused(tmp_path: Path, key: str, pair: Pair, told: str) -> None:
    content = Recipe().with_pair(key, pair).encode()
    assert told in _refusal(_write(tmp_path / "a.gguf", content))


@pytest.mark.parametrize("key", [key for key in Recipe().pairs if "count" in key or "model" in key])
def test_absent_key_is_refused_or_has_a_default(tmp_path: Path, key: str) -> None:
    path = _write(tmp_path / "a.gguf", Recipe().without(key).encode())
    if key.endswith(("head_count", "head_count_kv")):
        assert check_file(path).n_layer == 2
    else:
        assert key.rpartition(".")[2] in _refusal(path)


WRONG_TENSORS = [
    ("no dimension", {"shape": ()}, "0 dimensions"),
    ("five dimensions", {"shape": (1, 1, 1, 1, 1)}, "5 dimensions"),
    ("zero size", {"shape": (0, 4)}, "impossible shape"),
    ("overflow", {"shape": (1 << 59, 4)}, "impossible shape"),
    ("unknown type", {"kind": 77}, "type 77"),
    ("removed type", {"kind": 4}, "type 4"),
    ("half a block", {"kind": 8, "shape": (33, 2)}, "no whole Q8_0"),
    ("offset", {"offset": 64}, "not where the one before it ends"),
    ("outside", {"shape": (32, 1 << 20)}, "not where the one before it ends|truncated"),
    ("long name", {"name": "n" * 64}, "64 bytes long"),
    ("same name", {"name": "output_norm.weight"}, "the same name"),
]


@pytest.mark.parametrize(
    ("changes", "told"), [pytest.param(row[1], row[2], id=row[0]) for row in WRONG_TENSORS]
)
def test_impossible_tensor_is_refused(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    message = _refusal(_write(tmp_path / "a.gguf", Recipe().with_tensor(**changes).encode()))
    assert any(part in message for part in told.split("|"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"version": 1}, "version 1", id="version 1"),
        pytest.param({"version": 4}, "version 4", id="version 4"),
        pytest.param({"version": 0x03000000}, "big-endian", id="big-endian"),
        pytest.param({"n_pairs": 1 << 40}, "claims", id="endless pairs"),
        pytest.param({"n_tensors": 1 << 40}, "claims", id="endless tensors"),
        pytest.param({"n_tensors": 60_000}, "reason", id="more tensors than there are"),
        pytest.param({"tensors": ()}, "no weights", id="vocabulary only"),
    ],
)
def test_impossible_counts_are_refused(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    message = _refusal(_write(tmp_path / "a.gguf", replace(Recipe(), **changes).encode()))  # type: ignore[arg-type]  # a table of changes
    assert told in message or told == "reason"


# ---- split models ------------------------------------------------------------------------


def _parts(folder: Path) -> list[Path]:
    whole = Recipe().with_pair("split.count", Pair(kind=2, value=b"\2\0"))
    first = whole.with_pair("split.no", Pair(kind=2, value=b"\0\0"))
    second = replace(
        Recipe(
            pairs={
                "split.count": Pair(kind=2, value=b"\2\0"),
                "split.no": Pair(kind=2, value=b"\1\0"),
            }
        ),
        tensors=(TensorRow(name="blk.0.attn_norm.weight", shape=(32,)),),
    )
    names = [folder / f"m-0000{n}-of-00002.gguf" for n in (1, 2)]
    return [_write(names[0], first.encode()), _write(names[1], second.encode())]


def test_parts_of_a_split_model_are_checked_together(tmp_path: Path) -> None:
    parts = _parts(tmp_path)
    header = check_file(parts[0])
    assert header.shards == tuple(map(str, parts))
    assert header.n_tensors == 3
    assert len(file_identity(shard_paths(parts[1]))) == 2


def test_missing_part_is_named(tmp_path: Path) -> None:
    parts = _parts(tmp_path)
    parts[1].unlink()
    with pytest.raises(ModelNotFoundError, match="split into 2 files and 1 are missing"):
        check_file(parts[0])


def test_part_under_another_name_is_refused(tmp_path: Path) -> None:
    part = _parts(tmp_path)[0].rename(tmp_path / "whole.gguf")
    assert "one of 2 parts" in _refusal(part)


def test_swapped_parts_are_refused(tmp_path: Path) -> None:
    parts = _parts(tmp_path)
    parts[1].write_bytes(parts[0].read_bytes())
    with pytest.raises(ModelFileError, match="is not part 2 of 2"):
        check_file(parts[0])


def test_header_that_grows_while_it_is_read_is_not_trusted(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.gguf", Recipe().encode())
    with path.open("rb") as file, pytest.raises(UnreadableError, match="truncated"):
        read_gguf(file, 100)
