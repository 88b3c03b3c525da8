"""Plain texts to go on with: no messages, no template, the same stream of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import ChatPrompt
from llamanb.models.reply import Prepared
from llamanb.models.requests import build_request

if TYPE_CHECKING:
    from llamanb.models.chatting import Chatting
    from llamanb.settings import SamplingSettings

__all__ = ["prepare_text"]


def prepare_text(
    model: Chatting,
    prompt: str | tuple[int, ...],
    *,
    sampling: SamplingSettings | None = None,
    **options: Any,
) -> Prepared:
    """Make the request that goes on with ``prompt``.

    Parameters
    ----------
    model : a resident model.
    prompt : text, in which the names of control tokens mean those tokens; or ids.
    sampling : how to choose tokens.
    **options : ``affinity``, and one of ``grammar``, ``json_schema``, ``regex``,
        ``choices``, which the text is to match.

    Raises
    ------
    OptionError, GrammarError
        Naming the option.
    """
    request = build_request(model.vocab, prompt, options, base=sampling)
    text = prompt if isinstance(prompt, str) else model.vocab.detokenize(prompt, special=True)
    return Prepared(prompt=ChatPrompt(prompt=text), request=request)
