"""A talk: turns, undo, replacing, one reply at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from llamanb.conversation import Session
from llamanb.errors import ContextLengthError, EngineDead, OptionError, TemplateError
from llamanb.settings import SamplingSettings
from tests.conversation.fakes import ScriptedModel


def talk(*answers: str, **options: str) -> tuple[Session, ScriptedModel]:
    model = ScriptedModel()
    for answer in answers:
        model.enqueue([answer])
    return Session(model, **options), model  # type: ignore[arg-type]  # system_prompt only


def roles(session: Session) -> str:
    return " ".join(f"{m['role'][0]}:{m['content']}" for m in session.messages)


def test_turns_are_noted() -> None:
    session, _ = talk("Hi", "Fine")
    assert session.send("Hello").content == "Hi"
    assert session.send("How are you?").content == "Fine"
    assert roles(session) == "u:Hello a:Hi u:How are you? a:Fine"


def test_earlier_turns_and_system_prompt_are_in_the_prompt() -> None:
    session, _ = talk("Hi", "Fine", system_prompt="Be terse.")
    session.send("Hello")
    prompt = session.stream("How?").prompt.prompt
    assert prompt.startswith("<|im_start|>system\nBe terse.<|im_end|>")
    assert prompt.index("Hello") < prompt.index("Hi") < prompt.index("How?")
    assert "system" not in roles(session)


def test_reasoning_is_kept_with_the_turn() -> None:
    session, _ = talk("<think>hm</think>Hi")
    session.send("Hello")
    assert session.messages[-1]["reasoning_content"] == "hm"


def test_partial_turn_is_kept_when_left_early() -> None:
    model = ScriptedModel()
    model.enqueue(["Hi", " there"], reason=None)
    session = Session(model)
    for _ in session.stream("Hello"):
        break
    assert roles(session) == "u:Hello a:Hi"


def test_new_question_stops_the_reply_that_goes_on() -> None:
    model = ScriptedModel()
    model.enqueue(["Hi"], reason=None)
    model.enqueue(["Fine"])
    session = Session(model)
    first = session.stream("Hello")
    events = iter(first)
    next(events)
    session.send("Again")
    assert first.generation.cancelled
    assert roles(session) == "u:Hello a:Hi u:Again a:Fine"


def test_empty_answer_is_not_noted() -> None:
    session, _ = talk("")
    session.send("Hello")
    assert roles(session) == "u:Hello"


def test_replacing_forgets_what_came_after() -> None:
    session, _ = talk("1", "2", "3")
    session.send("a")
    session.send("b")
    for _ in session.stream("c", replace_from=0):
        pass
    assert roles(session) == "u:c a:3"


@pytest.mark.parametrize("place", [-1, 1])
def test_replacing_what_is_not_there_is_refused(place: int) -> None:
    session, _ = talk("1")
    with pytest.raises(OptionError, match="replace_from"):
        session.stream("a", replace_from=place)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        pytest.param({"temperature": -1}, OptionError, id="option"),
        pytest.param(
            {"chat_template": "{{ raise_exception('no') }}"}, TemplateError, id="template"
        ),
        pytest.param({"colour": "red"}, OptionError, id="unknown-option"),
    ],
)
def test_refused_question_changes_nothing(
    options: dict[str, object], kind: type[Exception]
) -> None:
    session, _ = talk("1", "2")
    session.send("a")
    with pytest.raises(kind):
        session.stream("b", replace_from=0, **options)
    assert roles(session) == "u:a a:1"


def test_too_long_question_changes_nothing() -> None:
    session, model = talk("1")
    model.refusal = ContextLengthError("too long")
    with pytest.raises(ContextLengthError):
        session.send("a")
    assert session.messages == []


def test_engine_error_is_raised_by_send() -> None:
    model = ScriptedModel()
    model.enqueue([], reason="error", error="aborted", error_type="EngineDead")
    with pytest.raises(EngineDead, match="aborted"):
        Session(model).send("Hello")


def test_undo_takes_the_last_turn_back() -> None:
    session, _ = talk("1", "2")
    session.send("a")
    session.send("b")
    assert session.undo() == "b"
    assert roles(session) == "u:a a:1"
    session.undo()
    with pytest.raises(OptionError):
        session.undo()


def test_reset_keeps_the_system_prompt() -> None:
    session, _ = talk("1", system_prompt="Be terse.")
    session.send("a")
    session.reset()
    assert (session.messages, session.system_prompt) == ([], "Be terse.")


def test_sampling_is_the_sessions_own_unless_said() -> None:
    session, model = talk("1", "2")
    session.sampling = SamplingSettings(temperature=0.1, max_tokens=9)
    session.send("a")
    session.send("b", max_tokens=3, enable_thinking=False)
    asked = [(r.sampling.temperature, r.sampling.max_tokens) for r in model.requests]
    assert asked == [(0.1, 9), (0.1, 3)]
    assert model.requests[0].affinity == model.requests[1].affinity


def test_async_send_gives_the_message() -> None:
    session, _ = talk("1")
    assert asyncio.run(session.asend("a")).content == "1"
    assert roles(session) == "u:a a:1"


def test_undo_gives_the_text_of_content_parts() -> None:
    session, _ = talk("Hi")
    session.send([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    assert session.undo() == "a\nb"


def test_what_comes_after_a_stop_from_elsewhere_is_not_shown_nor_noted() -> None:
    model = ScriptedModel()
    model.enqueue(["Hi", " there", " you"], reason=None)
    session = Session(model)
    events = iter(session.stream("Hello"))
    next(events)
    session.stop()
    assert [type(event).__name__ for event in events] == ["Finished"]
    assert roles(session) == "u:Hello a:Hi"


def test_threads_that_share_a_session_lose_no_turn() -> None:
    session, model = talk(*["Hi"] * 40)
    del model

    def ask() -> None:
        for _ in range(10):
            session.send("Hello")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    said = roles(session).split()
    assert said.count("u:Hello") == 40
    assert "a:Hi a:Hi" not in roles(session)
