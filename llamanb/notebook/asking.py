"""One question from a cell: what was asked, sending it, and the ``Reply`` it ends in."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import Finished, TextDelta
from llamanb.engine.values import FinalRecord, Timings, Usage
from llamanb.notebook.following import SETTLE_S
from llamanb.notebook.messages import UsageError
from llamanb.notebook.reply import Reply, current_cell
from llamanb.notebook.reply_view import first_json
from llamanb.notebook.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llamanb.chat_layer import ChatPrompt
    from llamanb.conversation import TalkStream
    from llamanb.engine import Generation
    from llamanb.models import Model
    from llamanb.notebook.cell_output import Output
    from llamanb.notebook.chats import CellRun, NamedChat
    from llamanb.notebook.following import EventSource

__all__ = ["Asked", "Question", "send_question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a cell asks. ``chat`` is None with ``--raw``: the text is continued as it is."""

    text: str
    model: Model
    chat: NamedChat | None
    run: CellRun
    sampling: dict[str, Any] = field(default_factory=dict)
    think: bool | None = None
    style: str = "md"
    variable: str = ""
    fingerprint: str = ""


def send_question(question: Question, output: Output) -> Asked:
    """Send ``question`` to its model and give the handle of the reply on its way."""
    if question.chat is None:
        return _send_raw(question, output)
    thinking = {} if question.think is None else {"enable_thinking": question.think}
    options = {**question.sampling, **thinking}
    stream = question.chat.stream(question.text, question.run, options)
    turn = f"chat {question.chat.name}, turn {question.chat.n_turns}"
    return Asked(question=question, source=stream, output=output, stream=stream, turn=turn)


def _send_raw(question: Question, output: Output) -> Asked:
    model = question.model
    generation = model.submit(model.request(question.text, **question.sampling))
    source = _RawEvents(generation)
    return Asked(question=question, source=source, output=output, raw_generation=generation)


class _RawEvents:
    """A generation without a chat, seen as the events of a reply."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self.cancel = generation.cancel

    def __iter__(self) -> Iterator[TextDelta]:
        for piece in self._generation:
            yield TextDelta(text=piece.text)

    async def __aiter__(self) -> AsyncIterator[TextDelta]:
        async for piece in self._generation:
            yield TextDelta(text=piece.text)


@dataclass(slots=True, kw_only=True)
class Asked:
    """A question on its way. Stages: sent → followed → ``conclude`` gives the reply.

    ``turn`` says where in which chat it was asked, ``""`` outside a chat.
    """

    question: Question
    source: EventSource
    output: Output
    turn: str = ""
    stream: TalkStream | None = None
    raw_generation: Generation | None = None
    transcript: Transcript = field(init=False)

    def __post_init__(self) -> None:
        n_prompt_tokens = len(self.generation.request.prompt_tokens)
        self.transcript = Transcript(lambda: self.generation.n_tokens, n_prompt_tokens)

    @property
    def generation(self) -> Generation:
        """The generation behind the reply."""
        found = self.raw_generation or (self.stream.generation if self.stream else None)
        if found is None:
            raise UsageError("the question was not sent")
        return found

    def conclude(self) -> Reply:
        """Show the final state and give the reply, partial if it was interrupted.

        Raises
        ------
        UsageError
            If the model could not answer; what there is has been shown.
        """
        record = self._record()
        if self.stream is not None:
            self.transcript.catch_up(self.stream.text, self.stream.reasoning)
        if self.transcript.finished is None:
            reason = "cancelled" if self.transcript.interrupted else record.finish_reason
            self.transcript.add(Finished(reason=reason, error=record.error))
        reply = self._reply(record)
        self.output.finish(self.transcript, reply.footer, self._metadata(reply))
        if record.finish_reason == "error":
            raise UsageError(f"{record.error_type}: {record.error}")
        return reply

    def _record(self) -> FinalRecord:
        with contextlib.suppress(TimeoutError):
            return self.generation.wait(SETTLE_S)
        usage = Usage(completion_tokens=self.generation.n_tokens)
        return FinalRecord(finish_reason="cancelled", usage=usage, timings=Timings())

    def _reply(self, record: FinalRecord) -> Reply:
        finished = self.transcript.finished
        text = self.transcript.text
        return Reply(
            text,
            reasoning=self.transcript.reasoning,
            raw=self.generation.text,
            parsed=first_json(text) if self.question.style == "json" else None,
            tokens=self.generation.tokens,
            usage=record.usage,
            timings=record.timings,
            finish_reason=finished.reason if finished else record.finish_reason,
            model=self.question.model.name,
            seed=record.seed,
            built=self._prompt(),
            messages=self._messages(),
            footer=footer_line(
                record,
                _label(self.question.model),
                self.turn,
                with_speed=self.output.shows_speed,
            ),
            _format=self.question.style,
            _shown_in=current_cell(),
        )

    def _prompt(self) -> ChatPrompt | None:
        return self.stream.prompt if self.stream else None

    def _messages(self) -> tuple[dict[str, Any], ...]:
        session = self.question.chat.session if self.question.chat else None
        messages = [*session.system_messages, *session.messages] if session else []
        return tuple(map(dict, messages))

    def _metadata(self, reply: Reply) -> dict[str, Any]:
        """Give what made this reply, as JSON values, for the saved notebook."""
        model = self.question.model
        facts = {
            "model": model.name,
            "fingerprint": self.question.fingerprint,
            "chat": self.question.chat.name if self.question.chat else None,
            "sampling": asdict(self.generation.request.sampling),
            "seed": reply.seed,
            "finish_reason": reply.finish_reason,
            "usage": asdict(reply.usage),
            "timings": asdict(reply.timings),
        }
        return dict(json.loads(json.dumps(facts, default=str)))


def _label(model: Model) -> str:
    return f"{model.name} (toy)" if model.is_toy else model.name


def footer_line(record: FinalRecord, model: str, turn: str = "", *, with_speed: bool = True) -> str:
    """Give the line below a reply: tokens, speed, reuse, model, and the turn of the chat.

    Without speed and reuse it is the same in every run.
    """
    usage = record.usage
    count = f"{usage.completion_tokens} token{'s' * (usage.completion_tokens != 1)}"
    speed = record.timings.tokens_per_s if with_speed else 0.0
    # a few tokens of the template's head are always reused; they say nothing
    is_reuse = usage.cached_tokens >= usage.prompt_tokens / 4 and usage.cached_tokens > 0
    facts = [
        f"stopped after {count}" if record.finish_reason == "cancelled" else count,
        "cut at the token limit" if record.finish_reason == "length" else "",
        f"{speed:,.0f} tok/s" if speed else "",
        f"{usage.cached_tokens} of {usage.prompt_tokens} prompt tokens reused"
        if is_reuse and with_speed
        else "",
        model,
        turn,
    ]
    return " · ".join(filter(None, facts))
