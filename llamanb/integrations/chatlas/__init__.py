"""chatlas over a model of this kernel: ``llamanb.chat`` gives a ``chatlas.Chat``.

chatlas is imported when a chat is made, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llamanb.errors import MissingExtraError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from llamanb.conversation import Session
    from llamanb.conversation.tools.approval import Approve
    from llamanb.integrations.chatlas.talk import LlamaChat
    from llamanb.models import Model

__all__ = ["chat"]


def chat(
    model: str | os.PathLike[str] | Model | Session | None = None,
    *,
    base_url: str | None = None,
    system_prompt: str | None = None,
    tools: Iterable[Any] = (),
    model_id: str | None = None,
    api_key: str = "local",
    enable_thinking: bool | None = None,
    approve: Approve | None = None,
    timeout: float | str | None = 180,
    **load_and_sampling: Any,
) -> LlamaChat:
    """Give a ``chatlas.Chat`` with a model of this kernel, or with a server.

    With a model no port is opened and nothing goes over HTTP.

    Parameters
    ----------
    model : what ``llamanb.load`` takes, a loaded model, or a :class:`~llamanb.Session`,
        whose messages, tools and approval are taken over. None is the default model, if
        one is loaded.
    base_url : a server that speaks OpenAI's chat completions, instead of a model.
    system_prompt : what the model reads first.
    tools : functions the model may call: plain ones, ``llamanb.tool`` or ``chatlas.Tool``.
    model_id : what the chat calls its model; of a server, the model to ask for (None: its
        first one).
    api_key : the server's key.
    enable_thinking : whether to reason first; None leaves it to the model's template.
    approve : who decides whether a call may run, as of :class:`~llamanb.Session`. None or
        ``"ask"`` asks at the keyboard, and denies where nobody can be asked; tools marked
        ``approve=True`` are not asked about.
    timeout : seconds that loading may take; of a server, seconds to wait for its answer.
    **load_and_sampling : options of ``llamanb.load`` (``n_ctx``, ``n_gpu_layers`` …) and of
        ``create_chat_completion`` (``temperature``, ``max_tokens``, ``seed`` …).

    Raises
    ------
    MissingExtraError
        Without chatlas.
    OptionError
        If an option is unknown or impossible, or if not exactly one of ``model`` and
        ``base_url`` is given.
    ModelNotFoundError, ModelLoadTimeout, ServerError
        If there is no such model, it took too long to load, or no server answers.

    Examples
    --------
    >>> chat = llamanb.chat("demo", system_prompt="Answer in one sentence.")
    >>> chat.chat("Why is the sky blue?")
    >>> chat.close()
    """
    try:
        from llamanb.integrations.chatlas.opening import Wanted, open_chat
    except ModuleNotFoundError as error:
        if error.name != "chatlas":
            raise
        raise MissingExtraError(
            "llamanb.chat needs chatlas; install it with: pip install 'llamanb[chat]'"
        ) from None
    return open_chat(
        Wanted(
            model=model,
            base_url=base_url,
            system_prompt=system_prompt,
            tools=tools,
            model_id=model_id,
            api_key=api_key,
            enable_thinking=enable_thinking,
            approve=approve,
            timeout=timeout,
            options=load_and_sampling,
        )
    )
