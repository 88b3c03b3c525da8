"""The tree of turns: siblings, paths, and messages that others wrote."""

from __future__ import annotations

from typing import Any

from llamanb.notebook.chat.history import parts_of, question_of
from llamanb.notebook.chat.live import LiveTurn
from llamanb.notebook.chat.tree import TalkTree, Turn

Message = dict[str, Any]


def turn_of(question: str, answer: str = "") -> list[Message]:
    said: list[Message] = [{"role": "user", "content": question}]
    return [*said, {"role": "assistant", "content": answer}] if answer else said


def tree_of(*turns: list[Message]) -> TalkTree:
    tree = TalkTree(lambda messages: LiveTurn(question_of(messages), parts=parts_of(messages)))
    tree.adopt([message for turn in turns for message in turn])
    return tree


def shown(tree: TalkTree) -> list[str]:
    return [turn.live.question for turn in tree.path]


def own(tree: TalkTree, after: Turn | None, question: str, answer: str) -> Turn:
    return tree.add(after, LiveTurn(question), turn_of(question, answer))


def test_messages_become_turns() -> None:
    tree = tree_of(turn_of("a", "1"), turn_of("b", "2"))
    assert shown(tree) == ["a", "b"]
    assert tree.messages == [*turn_of("a", "1"), *turn_of("b", "2")]
    assert not tree.adopt(tree.messages)


def test_what_comes_before_the_first_question_is_a_turn() -> None:
    hello = {"role": "assistant", "content": "Hello"}
    tree = tree_of([hello], turn_of("a", "1"))
    assert shown(tree) == ["", "a"]


def test_a_turn_that_others_finish_stays_one_turn() -> None:
    tree = tree_of(turn_of("a", "1"), turn_of("b"))
    (_, before) = tree.path
    assert tree.adopt([*turn_of("a", "1"), *turn_of("b", "2")])
    assert tree.path[1] is before
    assert tree.siblings(before) == [before]


def test_another_answer_of_others_is_a_sibling() -> None:
    tree = tree_of(turn_of("a", "1"))
    tree.adopt(turn_of("a", "2"))
    (turn,) = tree.path
    assert len(tree.siblings(turn)) == 2
    tree.adopt(turn_of("a", "1"))
    assert tree.path[0] is tree.siblings(turn)[0]


def test_showing_a_turn_shows_what_followed_it() -> None:
    tree = tree_of(turn_of("a", "1"), turn_of("b", "2"))
    first, second = tree.path
    other = own(tree, None, "x", "9")
    assert shown(tree) == ["x"]
    tree.show(first)
    assert tree.path == [first, second]
    tree.show(other)
    tree.show(second)
    assert tree.path == [first, second]


def test_an_end_hides_what_follows_and_keeps_it() -> None:
    tree = tree_of(turn_of("a", "1"), turn_of("b", "2"))
    first, second = tree.path
    tree.end_with(first)
    assert tree.path == [first]
    third = own(tree, first, "c", "3")
    assert tree.siblings(third) == [second, third]
    tree.end_with(None)
    assert tree.path == []
    assert tree.find(third.id) is third
    assert tree.find("strange") is None


def test_messages_before_a_turn_do_not_hold_its_own() -> None:
    tree = tree_of(turn_of("a", "1"), turn_of("b", "2"))
    assert tree.messages_before(tree.path[1]) == turn_of("a", "1")
    assert tree.messages_before(tree.path[0]) == []


def test_a_failed_turn_has_no_messages_and_others_do_not_remove_it() -> None:
    tree = tree_of(turn_of("a", "1"))
    failed = tree.add(tree.path[0], LiveTurn("too long"))
    assert not tree.adopt(turn_of("a", "1"))
    assert tree.path[-1] is failed
