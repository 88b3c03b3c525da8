"""One question from a cell: what was asked, sending it, and the ``Reply`` it ends in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from llamanb.chat_layer.events import Finished, TextDelta, ToolResult
from llamanb.engine.values import FinalRecord, Timings, Usage
from llamanb.notebook.approval import CellApproval
from llamanb.notebook.continuing import probs_of
from llamanb.notebook.following import SETTLE_S
from llamanb.notebook.footer import calls_note, footer_line, model_label, of_all_rounds
from llamanb.notebook.messages import UsageError
from llamanb.notebook.reply import Reply, current_cell
from llamanb.notebook.reply_view import first_json
from llamanb.notebook.transcript import Transcript
from llamanb.notebook.wanted import Wanted

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
    """What a cell asks. ``chat`` is None with ``--raw``: the text is continued as it is.

    ``tool_choice`` and ``max_rounds`` are None where nothing was said; ``approve`` is
    ``"ask"``, ``"auto"`` or ``"never"``.
    """

    text: str
    model: Model
    chat: NamedChat | None
    run: CellRun
    sampling: dict[str, Any] = field(default_factory=dict)
    think: bool | None = None
    style: str = "md"
    variable: str = ""
    fingerprint: str = ""
    wanted: Wanted = field(default_factory=lambda: Wanted(options={}))
    tool_choice: str | None = None
    max_rounds: int | None = None
    approve: str = "ask"

    def options(self) -> dict[str, Any]:
        """Give what a chat's turn is told, less what is None."""
        chosen = {
            "enable_thinking": self.think,
            "tool_choice": self.tool_choice,
            "max_rounds": self.max_rounds,
        }
        given = {key: value for key, value in chosen.items() if value is not None}
        return {**self.sampling, **self.wanted.options, **given}


def send_question(question: Question, output: Output) -> Asked:
    """Send ``question`` to its model and give the handle of the reply on its way."""
    if question.chat is None:
        return _send_raw(question, output)
    approval = CellApproval()
    approve = approval if question.approve == "ask" else question.approve
    options = {**question.options(), "approve": approve}
    stream = question.chat.stream(question.text, question.run, options)
    turn = f"chat {question.chat.name}, turn {question.chat.n_turns}"
    asked = Asked(question=question, source=stream, output=output, stream=stream, turn=turn)
    approval.watcher = asked
    return asked


def _send_raw(question: Question, output: Output) -> Asked:
    model = question.model
    options = {**question.sampling, **question.wanted.options}
    generation = model.submit(model.request(question.text, **options))
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
        self.transcript = Transcript(self._count_tokens, n_prompt_tokens)

    @property
    def generations(self) -> tuple[Generation, ...]:
        """The generations of all rounds."""
        return self.stream.generations if self.stream else (self.generation,)

    def _count_tokens(self) -> int:
        return sum(generation.n_tokens for generation in self.generations)

    def show_question(self, call_id: str) -> None:
        """Show the call that somebody is asked about."""
        if call := self.transcript.call(call_id):
            call.is_asked = True
        self.output.draw(self.transcript, at_once=True)

    def note_answer(self, call_id: str) -> None:
        """Note that the question about the call was answered."""
        if call := self.transcript.call(call_id):
            call.is_asked = False

    def stop(self) -> None:
        """Stop the reply because the person at the keyboard said so."""
        self.transcript.interrupted = True
        self.source.cancel()

    @property
    def generation(self) -> Generation:
        """The generation behind the reply, that of the last round."""
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
            self._catch_up(self.stream)
        if self.transcript.finished is None:
            reason = "cancelled" if self.transcript.interrupted else record.finish_reason
            self.transcript.add(
                Finished(reason=reason, error=record.error, error_type=record.error_type)
            )
        reply = self._reply(record)
        if self.question.chat is not None:
            self.question.chat.last_reply = reply
        self.output.finish(self.transcript, reply.footer, self._metadata(reply))
        if finished := self._failure():
            raise UsageError(f"{finished.error_type}: {finished.error}")
        return reply

    def _catch_up(self, stream: TalkStream) -> None:
        """Take in what an interrupt kept from being told."""
        self.transcript.catch_up(stream.text, stream.reasoning)
        for message in stream.messages:
            call = self.transcript.call(str(message.get("tool_call_id")))
            if call is not None and call.result is None:
                content = str(message["content"])
                self.transcript.add(
                    ToolResult(id=call.id, name=call.name, content=content, is_error=True)
                )

    def _failure(self) -> Finished | None:
        finished = self.transcript.finished
        return finished if finished and finished.reason == "error" else None

    def _record(self) -> FinalRecord:
        """Give how it ended, with the counts and times of all rounds."""
        try:
            record = self.generation.wait(SETTLE_S)
        except TimeoutError:
            usage = Usage(completion_tokens=self._count_tokens())
            return FinalRecord(finish_reason="cancelled", usage=usage, timings=Timings())
        finished = self.stream.finished if self.stream else None
        return of_all_rounds(record, finished) if finished else record

    def _reply(self, record: FinalRecord) -> Reply:
        finished = self.transcript.finished
        text = self.transcript.answer
        return Reply(
            text,
            reasoning=self.transcript.reasoning,
            raw="\n".join(generation.text for generation in self.generations),
            parsed=first_json(text) if self.question.style == "json" else None,
            tokens=tuple(token for one in self.generations for token in one.tokens),
            probs=probs_of(self.question.model, self._rounds()),
            tool_calls=tuple(self.transcript.calls),
            parts=tuple(self.transcript.parts),
            usage=record.usage,
            timings=record.timings,
            finish_reason=finished.reason if finished else record.finish_reason,
            model=self.question.model.name,
            seed=record.seed,
            built=self._prompt(),
            messages=self._messages(),
            footer=footer_line(
                record,
                model_label(self.question.model),
                " · ".join(filter(None, (calls_note(finished), self.turn))),
                with_speed=self.output.shows_speed,
            ),
            _format=self.question.style,
            _shown_in=current_cell(),
        )

    def _rounds(self) -> list[tuple[Generation, ChatPrompt | None]]:
        if self.stream is None:
            return [(self.generation, None)]
        return [(generation, prompt) for generation, prompt, _ in self.stream.rounds]

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
            "tools": list(self.question.chat.session.tools) if self.question.chat else [],
            "sampling": asdict(self.generation.request.sampling),
            "seed": reply.seed,
            "finish_reason": reply.finish_reason,
            "usage": asdict(reply.usage),
            "timings": asdict(reply.timings),
        }
        return dict(json.loads(json.dumps(facts, default=str)))
