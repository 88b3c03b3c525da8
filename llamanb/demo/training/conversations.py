"""A conversation, and its text with the parts that the model has to learn."""

import json
from dataclasses import dataclass, field


@dataclass
class Conversation:
    system: str = ""
    tools: list = field(default_factory=list)
    turns: list = field(default_factory=list)
    thinking: bool = False
    kind: str = ""

    def user(self, text):
        self.turns.append({"role": "user", "content": text})

    def assistant(self, content="", calls=(), reasoning=""):
        self.turns.append(
            {"role": "assistant", "content": content, "calls": list(calls), "reasoning": reasoning}
        )

    def tool(self, text):
        self.turns.append({"role": "tool", "content": text})

    def messages(self):
        """The same conversation as OpenAI messages (for the Jinja template)."""
        out = [{"role": "system", "content": self.system}] if self.system else []
        for t in self.turns:
            m = {"role": t["role"], "content": t["content"]}
            if t["role"] == "assistant":
                if t["reasoning"]:
                    m["reasoning_content"] = t["reasoning"]
                if t["calls"]:
                    m["tool_calls"] = [
                        {"type": "function", "function": {"name": n, "arguments": a}}
                        for n, a in t["calls"]
                    ]
            out.append(m)
        return out


def dumps(x, sort=False):
    return json.dumps(x, ensure_ascii=False, sort_keys=sort)


TOOLS_HEAD = "# Tools\nTo call a tool, write a tool_call block holding a JSON object with its name and arguments."


def render(c, sort=False):
    """[(text, learn)] of a conversation; joined it equals template.jinja's output."""
    parts = []
    if c.system or c.tools:
        s = "<|im_start|>system\n" + c.system
        if c.tools:
            s += ("\n\n" if c.system else "") + TOOLS_HEAD
            for f in c.tools:
                s += '\n{"name": ' + dumps(f["name"])
                if f.get("description"):
                    s += ', "description": ' + dumps(f["description"])
                if f.get("parameters"):
                    s += ', "parameters": ' + dumps(f["parameters"], sort)
                s += "}"
        parts.append((s + "<|im_end|>\n", False))
    last_user = max(i for i, t in enumerate(c.turns) if t["role"] == "user")
    for i, t in enumerate(c.turns):
        if t["role"] == "user":
            parts.append((f"<|im_start|>user\n{t['content']}<|im_end|>\n", False))
        elif t["role"] == "tool":
            parts.append(
                (
                    f"<|im_start|>tool\n<tool_response>\n{t['content']}\n</tool_response><|im_end|>\n",
                    False,
                )
            )
        else:
            parts.append(("<|im_start|>assistant\n", False))
            learn = ""
            if not c.thinking:
                parts.append(("<think>\n\n</think>\n\n", False))
            elif t["reasoning"] and i > last_user:
                learn = f"<think>\n{t['reasoning']}\n</think>\n\n"
            calls = "\n".join(
                f'<tool_call>\n{{"name": {dumps(n)}, "arguments": {dumps(a, sort)}}}\n</tool_call>'
                for n, a in t["calls"]
            )
            learn += t["content"] + ("\n" if t["content"] and calls else "") + calls
            # with thinking on, earlier turns have lost their reasoning: nothing to learn from them
            parts.append((learn + "<|im_end|>", (not c.thinking) or i > last_user))
            parts.append(("\n", False))
    return parts
