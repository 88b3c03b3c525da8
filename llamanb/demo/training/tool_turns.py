"""The turns of a conversation that calls tools."""

from talk import copy_task, fact
from tool_requests import random_tool, request, result, two_values
from tools import say


def call_reason(s, calls):
    bits = []
    for n, a in calls:
        bits.append(
            f"I call {n}"
            + (" with " + ", ".join(f"{k} = {say(v)}" for k, v in a.items()) if a else "")
            + "."
        )
    return "This needs a tool. " + " ".join(bits)


def tool_turns(s, c, tools, turns):
    for _ in range(turns):
        roll = s.r.random()
        tool = s.r.choice(tools)
        calls, text = [], None
        if roll < 0.13:
            two = two_values(s, tool)
            if two:
                text, argss = two
                calls = [(tool.name, a) for a in argss]
        elif roll < 0.18 and len(tools) > 1:
            t1, t2 = s.r.sample(tools, 2)
            (m1, a1), (m2, a2) = request(s, t1), request(s, t2)
            text = (
                m1.rstrip("?.")
                + s.pick(" and ", ". Also ", ". Then ", "? And ", "; ")
                + m2[0].lower()
                + m2[1:]
            )
            calls = [(t1.name, a1), (t2.name, a2)]
            tool = None
        elif roll < 0.26:
            q, a, why = s.pick(fact, fact, copy_task)(s)
            c.user(q)
            c.assistant(a, reasoning="No tool is needed. " + why)
            continue
        elif roll < 0.30:
            other = random_tool(s)
            if any(
                other.verb == t.verb
                or other.noun == t.noun
                or other.verb in t.name
                or other.noun in t.name
                for t in tools
            ) or any(t.phrases for t in tools):
                continue
            q, _ = request(s, other)
            c.user(q)
            c.assistant("Sorry, I have no tool for that.", reasoning="No tool fits this request.")
            continue
        if not calls:
            text, args = request(s, tool)
            calls = [(tool.name, args)]
        c.user(text)
        c.assistant(calls=calls, reasoning=call_reason(s, calls))
        if s.chance(0.6):
            answers = []
            for n, a in calls:
                t = next(x for x in tools if x.name == n)
                out, ans = result(s, t, a)
                c.tool(out)
                answers.append(ans)
            c.assistant(
                " ".join(answers),
                reasoning="The tool has answered. I report the result."
                if len(calls) == 1
                else "The tools have answered. I report the results.",
            )
            if s.chance(0.1):
                q, a, why = fact(s)
                c.user(s.pick("Thanks", "Thank you", "Great, thanks!"))
                c.assistant(
                    "You are welcome!",
                    reasoning="The user is being friendly. I answer in a friendly way.",
                )
        else:
            break
