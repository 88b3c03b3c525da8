"""Questions that end with a question mark stay questions; other input is left alone."""

from __future__ import annotations

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from llamanb.notebook.input_rules import AskQuestion


def _transform(code: str) -> str:
    manager = TransformerManager()
    manager.token_transformers.append(AskQuestion)
    return manager.transform_cell(code)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            "%llama ask Why is it blue?",
            "get_ipython().run_line_magic('llama', 'ask Why is it blue?')\n",
            id="line",
        ),
        pytest.param(
            "x = %llama ask Why?",
            "x = get_ipython().run_line_magic('llama', 'ask Why?')\n",
            id="assignment",
        ),
        pytest.param(
            "if True:\n    x = %llama ask Why?\nprint(x)",
            "if True:\n    x = get_ipython().run_line_magic('llama', 'ask Why?')\nprint(x)\n",
            id="indented",
        ),
        pytest.param(
            "%llama ask What's up?",
            "get_ipython().run_line_magic('llama', \"ask What's up?\")\n",
            id="apostrophe",
        ),
        pytest.param(
            "%llama ask Why??",
            "get_ipython().run_line_magic('llama', 'ask Why??')\n",
            id="two question marks",
        ),
        pytest.param(
            "%llama What is R?",
            "get_ipython().run_line_magic('llama', 'What is R?')\n",
            id="ask forgotten",
        ),
        pytest.param(
            "%llama load?",
            "get_ipython().run_line_magic('llama', 'load?')\n",
            id="help of a command",
        ),
        pytest.param(
            "%llama?", "get_ipython().run_line_magic('pinfo', '%llama')\n", id="help of the magic"
        ),
        pytest.param("len?", "get_ipython().run_line_magic('pinfo', 'len')\n", id="other help"),
        pytest.param('"""\n%llama ask x?\n"""', '"""\n%llama ask x?\n"""\n', id="inside a string"),
        pytest.param(
            "%llama ask Why is it blue",
            "get_ipython().run_line_magic('llama', 'ask Why is it blue')\n",
            id="without a question mark",
        ),
    ],
)
def test_lines_become_calls(code: str, expected: str) -> None:
    assert _transform(code) == expected
