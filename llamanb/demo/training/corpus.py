"""Synthetic conversations for llamanb-demo.

Every sample is a `Conversation`: an optional system prompt, optional tools and a list of turns. `render()` writes it the
way template.jinja does and marks the parts that the model has to learn (the assistant's own words).

    python corpus.py --show 5             # look at some samples
    python corpus.py --check 300          # compare render() with template.jinja
"""

import argparse
from pathlib import Path

from conversations import Conversation, dumps, render
from facts import SYSTEMS
from source import LISTS, Source, filler
from talk import copy_task, fact, memory, unknown
from tool_requests import curated_tool, random_tool, request, result, toolset, two_values
from tool_turns import tool_turns

__all__ = [
    "LISTS",
    "Conversation",
    "Source",
    "conversation",
    "copy_task",
    "curated_tool",
    "drill",
    "fact",
    "filler",
    "memory",
    "random_tool",
    "render",
    "request",
    "result",
    "toolset",
    "two_values",
    "unknown",
]


def conversation(s, kind=None, thinking=None):
    r = s.r
    kind = kind or r.choices(["tools", "fact", "copy", "memory", "unknown"], [58, 14, 14, 9, 5])[0]
    c = Conversation(kind=kind, thinking=s.chance(0.22) if thinking is None else thinking)
    if s.chance(0.4):
        c.system = (
            s.r.choice(SYSTEMS)
            if s.chance(0.85)
            else s.sentence() + " " + s.pick("Answer questions.", "Be kind.", "")
        )
        c.system = c.system.strip()
    if kind == "tools":
        tools = toolset(s)
        c.tools = [t.schema(s) for t in tools]
        while not c.turns:
            tool_turns(s, c, tools, r.choices([1, 2, 3], [5, 3, 2])[0])
    else:
        for _ in range(r.choices([1, 2, 3], [5, 3, 2])[0]):
            for q, a, why in {
                "fact": lambda: [fact(s)],
                "copy": lambda: [copy_task(s)],
                "unknown": lambda: [unknown(s)],
                "memory": lambda: memory(s),
            }[kind]():
                c.user(q)
                c.assistant(a, reasoning=why)
            if kind == "memory":
                break
            kind = r.choices([kind, "fact", "copy", "unknown"], [3, 2, 1, 0.5])[0]
    return c


def drill(s, vocab_words):
    """Copying of arbitrary material, to grow induction heads early."""
    r = s.r
    c = Conversation(kind="drill")
    if s.chance(0.15):
        t = " ".join(s.foreign() for _ in range(r.randint(1, 8)))
    elif s.chance(0.5):
        t = " ".join(r.choice(vocab_words) for _ in range(r.randint(3, 25)))
    elif s.chance(0.4):
        t = "".join(r.choice(vocab_words) for _ in range(r.randint(3, 20)))
    else:
        t = " ".join(s.text() for _ in range(r.randint(1, 5)))
    c.user(t)
    c.assistant(t)
    return c


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--show", type=int, default=0)
    ap.add_argument("--check", type=int, default=0)
    ap.add_argument("--kind")
    ap.add_argument("--split", default="train")
    ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()
    s = Source(a.seed, a.split)
    for _ in range(a.show):
        c = conversation(s, a.kind)
        print("".join(f"\033[32m{t}\033[0m" if learn else t for t, learn in render(c)))
        print("-" * 100)
    if a.check:
        from jinja2 import Environment

        env = Environment(trim_blocks=True, lstrip_blocks=True)
        env.filters["tojson"] = lambda x, **k: dumps(x)
        path = Path(__file__).resolve().parent / "template.jinja"
        tpl = env.from_string(path.read_text(encoding="utf-8"))
        for _ in range(a.check):
            c = conversation(s, a.kind)
            tools = [{"type": "function", "function": f} for f in c.tools] or None
            want = tpl.render(
                messages=c.messages(),
                tools=tools,
                enable_thinking=c.thinking,
                add_generation_prompt=False,
            )
            got = "".join(t for t, _ in render(c))
            assert got == want, f"{got}\n=====\n{want}"
        print("render() and template.jinja agree on", a.check, "conversations")
