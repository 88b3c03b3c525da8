"""Texts into token ids and back, as llama-server's clients ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llamanb.models import Model
    from llamanb.models.reply import Prepared
    from llamanb.servers.native.requests import DetokenizeRequest, TokenizeRequest

__all__ = ["applied_template", "detokenized", "tokenized"]


def tokenized(model: Model, body: TokenizeRequest) -> dict[str, Any]:
    """Give ``{"tokens": [...]}``: ids, or with ``with_pieces`` what each one says."""
    ids = _ids(model, body)
    if not body.with_pieces:
        return {"tokens": ids}
    known = model.vocab
    return {"tokens": [{"id": one, "piece": _piece(known.token_bytes(one))} for one in ids]}


def _ids(model: Model, body: TokenizeRequest) -> list[int]:
    parts = [body.content] if isinstance(body.content, str) else body.content
    ids: list[int] = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            first = body.add_special and number == 0
            ids += model.tokenize(part, add_special=first, parse_special=body.parse_special)
        else:
            model.vocab.check([part])
            ids.append(part)
    return ids


def _piece(raw: bytes) -> str | list[int]:
    """Give the text of a token, or its bytes if it is only a part of a character."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return list(raw)


def detokenized(model: Model, body: DetokenizeRequest) -> dict[str, Any]:
    """Give ``{"content": text}``; control tokens are shown."""
    return {"content": model.detokenize(body.tokens, special=True)}


def applied_template(prepared: Prepared) -> dict[str, Any]:
    """Give the text that the model would be asked to go on with, and what goes with it."""
    prompt = prepared.prompt
    return {
        "prompt": prompt.prompt,
        "n_tokens": prepared.n_prompt_tokens,
        "format": prompt.format,
        "grammar": prompt.grammar,
        "grammar_lazy": prompt.grammar_lazy,
        "additional_stops": list(prompt.additional_stops),
    }
