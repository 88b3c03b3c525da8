"""Tools in a real IPython kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.kernels import Kernel

DEFINE = '''import llamanb, sys

@llamanb.tool
def talk(word: str) -> int:
    """Say a word."""
    print("tool", word)
    return 1 / len(word)
'''


def test_a_tool_of_a_cell_is_caught_and_the_cell_is_not(kernel: Kernel) -> None:
    assert kernel.run(DEFINE).error is None
    cell = kernel.run("""
before = sys.stdout
outcome = talk.call('{"word": "ab"}')
print("cell", outcome.content, repr(outcome.stdout), sys.stdout is before)
""")
    assert cell.stdout == "cell 0.5 'tool ab\\n' True\n"


def test_the_lines_of_a_cell_are_shown_in_errors(kernel: Kernel) -> None:
    assert kernel.run(DEFINE).error is None
    cell = kernel.run("""print(talk.call('{"word": ""}').content)""")
    assert cell.stdout.splitlines() == [
        "ZeroDivisionError: division by zero",
        "  in talk, line 7: return 1 / len(word)",
    ]


def test_coroutines_run_in_a_cell_with_and_without_await(kernel: Kernel) -> None:
    define = "import llamanb, asyncio\n@llamanb.tool\nasync def one() -> int:\n    return 1\n"
    cell = kernel.run(
        define + "print(one.call().content, (await one.acall()).content, await one())"
    )
    assert cell.stdout == "1 1 1\n"
