"""A real vocabulary without weights, as llama.cpp ships it for its own tests."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import llama_cpp

if TYPE_CHECKING:
    from pathlib import Path

CONTROL_ATTRIBUTE = 8


class RealVocabulary:
    """The tokens of a ``ggml-vocab-*.gguf``. Stages: open → used → ``close``."""

    def __init__(self, path: Path) -> None:
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        assert self._model, f"{path} did not load"
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        bos = llama_cpp.llama_vocab_bos(self._vocab)
        self.bos: int | None = bos if bos >= 0 else None
        self.add_bos = bool(llama_cpp.llama_vocab_get_add_bos(self._vocab))
        self.control = frozenset(
            token
            for token in range(llama_cpp.llama_vocab_n_tokens(self._vocab))
            if llama_cpp.llama_vocab_get_attr(self._vocab, token) & CONTROL_ATTRIBUTE
        )

    def close(self) -> None:
        llama_cpp.llama_model_free(self._model)

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[int]:
        encoded = text.encode()
        room = len(encoded) + 8
        ids = (ctypes.c_int32 * room)()
        count = llama_cpp.llama_tokenize(
            self._vocab, encoded, len(encoded), ids, room, add_special, parse_special
        )
        assert count >= 0
        return list(ids[:count])

    def token_to_piece(self, token: int) -> str:
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(
            self._vocab,
            token,
            buffer,
            256,
            0,
            True,  # llama.cpp's own signature
        )
        return buffer.raw[:length].decode("utf-8", "replace")
