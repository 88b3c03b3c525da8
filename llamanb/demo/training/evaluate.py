"""Evaluate a llamanb-demo GGUF through llama-cpp-python, without a grammar, on words and tools held out of training.

python evaluate.py llamanb-demo.gguf --n 60
python evaluate.py llamanb-demo.gguf --chat "What's the weather in Paris?"
"""

import argparse
import json
import re
import time
from pathlib import Path

import corpus as C
import words as W
from jinja2 import Environment

HERE = Path(__file__).resolve().parent


def template():
    env = Environment(trim_blocks=True, lstrip_blocks=True)
    env.filters["tojson"] = lambda x, **k: json.dumps(x, ensure_ascii=False)
    return env.from_string((HERE / "template.jinja").read_text(encoding="utf-8"))


class Runner:
    def __init__(self, path, n_ctx=8192, threads=2):
        from llama_cpp import Llama

        t = time.time()
        self.llm = Llama(
            path, n_ctx=n_ctx, n_threads=threads, n_threads_batch=threads, verbose=False
        )
        self.load = time.time() - t
        self.tpl = template()

    def prompt(self, messages, tools=None, thinking=False):
        tools = [{"type": "function", "function": f} for f in tools] if tools else None
        return self.tpl.render(
            messages=messages, tools=tools, enable_thinking=thinking, add_generation_prompt=True
        )

    def __call__(
        self, messages, tools=None, thinking=False, temperature=0.0, max_tokens=200, seed=1
    ):
        ids = self.llm.tokenize(
            self.prompt(messages, tools, thinking).encode(), add_bos=False, special=True
        )
        try:
            out = self.llm.create_completion(
                prompt=ids,
                max_tokens=max_tokens,
                temperature=temperature,
                top_p=0.95,
                top_k=40,
                min_p=0.05,
                repeat_penalty=1.0,
                seed=seed,
                stop=["<|im_end|>"],
            )
        except RuntimeError:  # llama-cpp-python 0.3.36 ignores max_tokens while the output ends in half a UTF-8 character
            self.llm.reset()
            return "<error>"
        return out["choices"][0]["text"]


def parse(text):
    """content, reasoning, calls (None if some call is not valid JSON), well formed"""
    reasoning = ""
    m = re.match(r"\s*<think>\n?(.*?)</think>\s*", text, re.S)
    if m:
        reasoning, text = m.group(1).strip(), text[m.end() :]
    calls, ok = [], "<think>" not in text
    for block in re.findall(r"<tool_call>\n?(.*?)\n?</tool_call>", text, re.S):
        try:
            d = json.loads(block)
            calls.append((d["name"], d["arguments"]))
        except (ValueError, KeyError, TypeError):
            ok = False
    rest = re.sub(r"<tool_call>.*?</tool_call>", "", text, flags=re.S).strip()
    if "tool_call>" in rest:
        ok = False
    return rest, reasoning, calls, ok


def cases(s, kind, n):
    """[(messages, tools, expected answer, expected calls)]"""
    out = []
    while len(out) < n:
        if kind in (
            "known tool, new value",
            "unseen real tool",
            "unseen random tool",
            "two calls",
            "answer from result",
            "no call for chat",
        ):
            if kind == "known tool, new value":
                s.split = "train"
                tool = C.curated_tool(s)
                s.split = "test"
            elif kind == "unseen real tool":
                tool = C.curated_tool(s)
            else:
                tool = C.random_tool(s)
            others = [
                t
                for t in C.toolset(s, s.r.randint(1, 3))
                if t.name != tool.name and not (t.phrases and tool.phrases)
            ]
            tools = [*others, tool]
            s.r.shuffle(tools)
            schemas = [t.schema(s) for t in tools]
            if kind == "no call for chat":
                q, a, _ = C.fact(s)
                out.append(([{"role": "user", "content": q}], schemas, a, []))
                continue
            if kind == "two calls":
                two = C.two_values(s, tool)
                if two:
                    out.append(
                        (
                            [{"role": "user", "content": two[0]}],
                            schemas,
                            "",
                            [(tool.name, x) for x in two[1]],
                        )
                    )
                continue
            q, args = C.request(s, tool)
            if kind == "answer from result":
                res, a = C.result(s, tool, args)
                call = {"type": "function", "function": {"name": tool.name, "arguments": args}}
                out.append(
                    (
                        [
                            {"role": "user", "content": q},
                            {"role": "assistant", "content": "", "tool_calls": [call]},
                            {"role": "tool", "content": res},
                        ],
                        schemas,
                        a,
                        [],
                    )
                )
            else:
                out.append(([{"role": "user", "content": q}], schemas, "", [(tool.name, args)]))
        elif kind in ("chat", "copy", "unknown question"):
            q, a, _ = {"chat": C.fact, "copy": C.copy_task, "unknown question": C.unknown}[kind](s)
            out.append(([{"role": "user", "content": q}], None, a, []))
        elif kind == "copy of UTF-8":
            t = " ".join(s.r.choice(W.UNICODE_WORDS) for _ in range(s.r.randint(1, 4)))
            out.append(
                (
                    [{"role": "user", "content": s.pick("Repeat after me: ", "Say ") + t}],
                    None,
                    t,
                    [],
                )
            )
        elif kind == "memory":
            m = C.memory(s)
            msgs = []
            for q, a, _ in m[:-1]:
                msgs += [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
            out.append(([*msgs, {"role": "user", "content": m[-1][0]}], None, m[-1][1], []))
    return out


KINDS = [
    "known tool, new value",
    "unseen real tool",
    "unseen random tool",
    "two calls",
    "answer from result",
    "no call for chat",
    "chat",
    "unknown question",
    "copy",
    "copy of UTF-8",
    "memory",
]
BY_HAND = [  # wording that the generator cannot produce, with words that the answer has to contain
    ("hi there!!", "Hello"),
    ("hey, who am I talking to?", "llamanb-demo"),
    ("so why exactly is the sky blue today?", "scatters"),
    ("could you tell me what gguf means", "file format"),
    ("Explain what Jupyter notebooks are good for", "Jupyter"),
    ("what's the capital city of Japan", "Tokyo"),
    ("pls say hello world", "hello world"),
    ("thx!", "welcome"),
    ("What is R? Answer in one sentence.", "statistics"),
    ("tell me something funny please", "llama"),
    ("I'd like to know what llama.cpp is.", "C++"),
    ("good bye then", "Goodbye"),
]


def f(name, desc, required=None, **props):
    return {
        "name": name,
        "description": desc,
        "parameters": {
            "type": "object",
            "properties": {k: ({"type": v} if isinstance(v, str) else v) for k, v in props.items()},
            "required": required or list(props),
        },
    }


TOOLS_BY_HAND = [
    (
        "What's the weather in Paris?",
        [f("get_weather", "Get the current weather for a city.", city="string")],
        [("get_weather", {"city": "Paris"})],
    ),
    (
        "What is 17 plus 25?",
        [f("add", "Add two numbers", a="integer", b="integer")],
        [("add", {"a": 17, "b": 25})],
    ),
    (
        "What do the documents say about solar power?",
        [f("retrieve", "Retrieve relevant passages", text="string")],
        [("retrieve", {"text": "solar power"})],
    ),
    (
        "Please look up the phone number of Mr. Brown",
        [f("phone_book", "Look up a phone number", person="string")],
        [("phone_book", {"person": "Mr. Brown"})],
    ),
    (
        "Make the volume 11",
        [
            f("set_volume", "Set the volume of the speaker", level="integer"),
            f(
                "mute",
                "Mute the speaker",
                required=[],
            ),
        ],
        [("set_volume", {"level": 11})],
    ),
    (
        "I'd like the weather for Paris and for London",
        [f("get_weather", "Get the weather", city="string")],
        [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})],
    ),
    (
        "Which files are in the folder data?",
        [
            f("list_dir", "List the files in a folder", folder="string"),
            f("delete_dir", "Delete a folder", folder="string"),
        ],
        [("list_dir", {"folder": "data"})],
    ),
    (
        "Show row 5 of the table iris",
        [f("show_row", "Show a row of a table", table="string", row="integer")],
        [("show_row", {"table": "iris", "row": 5})],
    ),
]


def norm(args):
    return json.dumps(args, sort_keys=True)


def score(run, kind, n, temperature, thinking):
    s = C.Source(12345, "test")
    got = {"n": 0, "valid": 0, "tool": 0, "args": 0, "answer": 0}
    misses = []
    for i, (msgs, tools, answer, calls) in enumerate(cases(s, kind, n)):
        text = run(msgs, tools, thinking, temperature, seed=i + 1)
        content, reasoning, made, ok = parse(text)
        got["n"] += 1
        got["valid"] += ok
        right_tool = ok and [c[0] for c in made] == [c[0] for c in calls]
        right_args = right_tool and all(
            norm(a) == norm(b) for (_, a), (_, b) in zip(made, calls, strict=True)
        )
        got["tool"] += right_tool
        got["args"] += right_args
        right = right_args and content == answer and (not thinking or bool(reasoning))
        got["answer"] += right
        if not right:
            misses.append((msgs[-1]["content"], text, answer or calls))
    return got, misses


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("model")
    ap.add_argument("--n", type=int, default=50)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--misses", type=int, default=0)
    ap.add_argument("--kinds", nargs="*")
    ap.add_argument("--long", type=int, default=0, help="also run a prompt of this many tokens")
    ap.add_argument("--chat")
    ap.add_argument("--quick", action="store_true", help="greedy, thinking off only")
    a = ap.parse_args()
    run = Runner(a.model, threads=a.threads)
    print(f"loaded in {run.load:.2f} s, {Path(a.model).stat().st_size / 1e6:.2f} MB")
    if a.chat:
        print(run([{"role": "user", "content": a.chat}]))
        return
    ids = run.llm.tokenize(
        'Zürich, 東京 🙂 \t\x07 \'quoted\' {"name": "x"}\r\n  end'.encode(),
        add_bos=False,
        special=True,
    )
    assert (
        run.llm.detokenize(ids).decode()
        == 'Zürich, 東京 🙂 \t\x07 \'quoted\' {"name": "x"}\r\n  end'
    ), "UTF-8 round trip"
    settings = [(0.0, False)] if a.quick else [(0.0, False), (0.7, False), (0.0, True)]
    for temperature, thinking in settings:
        print(f"\ntemperature {temperature}, thinking {'on' if thinking else 'off'}\n")
        print(
            "| held-out cases | n | well formed | right tools | right arguments | exact reply |\n|---|---|---|---|---|---|"
        )
        for kind in a.kinds or KINDS:
            g, misses = score(run, kind, a.n, temperature, thinking)
            n = g["n"]
            print(
                f"| {kind} | {n} | {g['valid'] / n:.0%} | {g['tool'] / n:.0%} | {g['args'] / n:.0%} | {g['answer'] / n:.0%} |",
                flush=True,
            )
            for m in misses[: a.misses]:
                print("    ", repr(m))
        hits = []
        for q, want in BY_HAND:
            text = run([{"role": "user", "content": q}], None, thinking, temperature)
            hits.append(want.lower() in parse(text)[0].lower())
            if not hits[-1] and a.misses:
                print("    ", repr((q, text, want)))
        print(f"| chat, worded by hand | {len(hits)} | | | | {sum(hits) / len(hits):.0%} |")
        hits = []
        for q, tools, calls in TOOLS_BY_HAND:
            text = run([{"role": "user", "content": q}], tools, thinking, temperature)
            _, _, made, ok = parse(text)
            hits.append(ok and [(n, norm(x)) for n, x in made] == [(n, norm(x)) for n, x in calls])
            if not hits[-1] and a.misses:
                print("    ", repr((q, text, calls)))
        print(
            f"| tools, worded by hand | {len(hits)} | | | {sum(hits) / len(hits):.0%} | |",
            flush=True,
        )
    t = time.time()
    out = run.llm.create_completion(
        prompt=run.llm.tokenize(
            run.prompt([{"role": "user", "content": "Say the alphabet"}]).encode(),
            add_bos=False,
            special=True,
        ),
        max_tokens=200,
        temperature=0,
        logit_bias={str(run.llm.token_eos()): -100.0},
    )
    print(f"\n{out['usage']['completion_tokens'] / (time.time() - t):.0f} tokens/s generated")
    if a.long:
        del run.llm
        long = Runner(a.model, n_ctx=max(8192, a.long + 2048), threads=a.threads)
        filler = C.filler(C.Source(5, "test"), a.long * 3)
        base = long.llm.tokenize(filler.encode(), add_bos=False)[: a.long - 300]
        filler = long.llm.detokenize(base).decode("utf-8", "replace")
        for q, tools in (
            ("Hello", None),
            ("Why is the sky blue?", None),
            ("Say pear dashboard", None),
            (TOOLS_BY_HAND[0][0], TOOLS_BY_HAND[0][1]),
        ):
            msgs = [{"role": "system", "content": filler}, {"role": "user", "content": q}]
            t = time.time()
            n = len(
                long.llm.tokenize(long.prompt(msgs, tools).encode(), add_bos=False, special=True)
            )
            print(
                f"prompt of {n} tokens, {q!r}: {long(msgs, tools, max_tokens=60)!r} in {time.time() - t:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
