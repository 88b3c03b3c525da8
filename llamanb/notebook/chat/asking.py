"""The ways to ask: anew, again, otherwise, from a call on, from a token on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer import ToolCall
from llamanb.chat_layer.events import ToolResult
from llamanb.conversation.tools.answering import ToolAnswers
from llamanb.errors import OptionError
from llamanb.models.alternatives import alternative_tokens
from llamanb.notebook.chat.approval import PageApproval
from llamanb.notebook.chat.attachments import content_of, read_attachments
from llamanb.notebook.chat.history import parts_of
from llamanb.notebook.chat.live import LiveTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llamanb.conversation import TalkStream
    from llamanb.notebook.chat.tree import Turn
    from llamanb.notebook.chat.turns import TurnDesk

__all__ = ["Asking", "check_object"]

Message = dict[str, Any]
LONGEST_QUESTION = 1 << 21


class Asking:
    """Asks the model in the name of the page; every method waits until the turn is over.

    Parameters
    ----------
    desk : carries the turns out.
    options : gives what a turn is told.
    variables : gives the notebook's variables.
    """

    def __init__(
        self,
        desk: TurnDesk,
        options: Callable[[], dict[str, Any]],
        variables: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._desk, self._options, self._variables = desk, options, variables

    def ask(self, text: str, attachments: Any = ()) -> None:
        """Ask at the end of the talk."""
        _check_question(text)
        given = read_attachments(list(attachments), self._variables())
        live = LiveTurn(text, given)
        self._desk.ask(self._desk.end, content_of(text, given), live, self._options())

    def ask_again(self, turn: Turn) -> None:
        """Ask the same once more; the first answer becomes a sibling."""
        _check_question(turn.content)
        self._desk.ask(lambda: turn.parent, turn.content, _anew(turn), self._options())

    def ask_otherwise(self, turn: Turn, text: str) -> None:
        """Ask with another text in the place of ``turn``, with the same attachments."""
        _check_question(text)
        given = turn.live.attachments
        live = LiveTurn(text, given)
        self._desk.ask(lambda: turn.parent, content_of(text, given), live, self._options())

    def ask_from_token(self, turn: Turn, index: int, token: int) -> None:
        """Answer again: the same up to token ``index`` of the turn, then ``token``, then anew."""
        stream = self._desk.streams.get(turn.id)
        if stream is None:
            raise OptionError("the tokens of this answer are not known any more")
        if self._desk.models[turn.id] is not self._desk.session.model:
            raise OptionError("another model wrote this: its tokens mean nothing to this one")
        with self._desk.alone():  # a turn that went on is whole now
            place, index = _round_of(stream, index)
            tokens = alternative_tokens(stream.generations[place], index, token)
            self._go_on_with(turn, stream, place, {**self._options(), "answer_tokens": tokens})

    def _go_on_with(
        self, turn: Turn, stream: TalkStream, place: int, options: dict[str, Any]
    ) -> None:
        """Ask again from the stream's reply of this number on; others may stand before it."""
        number = _n_replies(turn.messages) - _n_replies(stream.messages) + place
        live = _anew(turn)
        if number == 0:
            self._desk.ask(lambda: turn.parent, turn.content, live, options)
            return
        said = _before_round(turn.messages, number)
        live.put(parts_of(said))
        self._desk.go_on(turn.parent, said, live, options)

    def ask_from_call(self, turn: Turn, call_id: str, arguments: str) -> None:
        """Run a call once more, with ``arguments``, and let the model go on from there.

        Pressing the button allows it; where a function or ``"never"`` decides, that does.
        """
        check_object(arguments)
        said = _up_to_call(turn.messages, call_id, arguments)
        calls = _calls_of(said[-1])
        name = calls[call_id]["function"]["name"]
        tool = self._desk.session.tools.get(name)
        if tool is None or not tool.can_run:
            raise OptionError(f"there is no tool {name!r} to run")
        texts = _results_of(turn.messages)
        live = _anew(turn)
        others = [_result(call, texts) for key, call in calls.items() if key != call_id]
        live.put(parts_of([*said, *others]))
        options = self._options()

        def run(live: LiveTurn) -> list[Message]:
            answers = self._answers(options["approve"])
            wanted = ToolCall(id=call_id, name=name, arguments=arguments)
            outcome = answers.answer(wanted, 1)
            result = ToolResult(
                id=call_id,
                name=name,
                content=outcome.content,
                is_error=outcome.is_error,
                stdout=outcome.stdout,
                seconds=outcome.seconds,
            )
            live.add(result)
            texts[call_id] = outcome.content
            return [_result(call, texts) for call in calls.values()]

        self._desk.go_on(turn.parent, said, live, options, run)

    def _answers(self, approve: Any) -> ToolAnswers:
        allowed: Any = "auto" if isinstance(approve, PageApproval) else approve
        return ToolAnswers(self._desk.session.tools, allowed, self._desk.stopping)


def _anew(turn: Turn) -> LiveTurn:
    return LiveTurn(turn.live.question, turn.live.attachments)


def _round_of(stream: TalkStream, index: int) -> tuple[int, int]:
    """Give the number of the reply that a token of the turn is in, and its place there."""
    for number, generation in enumerate(stream.generations):
        if index < len(generation.tokens):
            return number, index
        index -= len(generation.tokens)
    raise OptionError("this answer has no such token")


def _n_replies(messages: Sequence[Message]) -> int:
    return sum(message["role"] == "assistant" for message in messages)


def check_object(arguments: object) -> None:
    """Check that arguments are a JSON object.

    Raises
    ------
    OptionError
        If they are not.
    """
    try:
        read = json.loads(str(arguments))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the arguments are no JSON: {error}") from None
    if not isinstance(read, dict):
        raise OptionError("the arguments must be a JSON object, such as {}")


def _check_question(text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise OptionError("there is nothing to send: write something first")
    if len(text) > LONGEST_QUESTION:
        raise OptionError(f"the text is too long: {len(text):,} characters")


def _calls_of(message: Message) -> dict[str, Message]:
    return {str(call.get("id")): call for call in message.get("tool_calls") or ()}


def _results_of(messages: list[Message]) -> dict[str, str]:
    return {
        str(message.get("tool_call_id")): str(message.get("content"))
        for message in messages
        if message["role"] == "tool"
    }


def _result(call: Message, texts: dict[str, str]) -> Message:
    identity = str(call.get("id"))
    return {
        "role": "tool",
        "tool_call_id": identity,
        "name": call["function"]["name"],
        "content": texts.get(identity, ""),
    }


def _up_to_call(messages: list[Message], call_id: str, arguments: str) -> list[Message]:
    """Give the messages up to the one with this call, which gets other arguments."""
    for place, message in enumerate(messages):
        if call_id in _calls_of(message):
            said = json.loads(json.dumps(messages[: place + 1]))
            _calls_of(said[-1])[call_id]["function"]["arguments"] = arguments
            return list(said)
    raise OptionError("this call is not there any more")


def _before_round(messages: list[Message], number: int) -> list[Message]:
    """Give a turn's messages before its reply of this number, counted from 0."""
    places = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    return messages[: places[number]] if number < len(places) else messages
