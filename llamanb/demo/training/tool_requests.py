"""Questions that need a tool, and what the tool gave back."""

import curated_held_out  # noqa: F401  # fills CURATED
import curated_tools  # noqa: F401  # fills CURATED
from conversations import dumps
from source import filler
from tool_kinds import CURATED, enum
from tools import Tool, article, ask_for, polite, say


def curated_tool(s):
    d = s.r.choice(CURATED[s.split])
    return Tool(
        s.r.choice(d["names"]),
        s.r.choice(d["desc"]),
        dict(d["params"]),
        d["required"],
        phrases=d["phrases"],
    )


def random_tool(s, verb=None, noun=None):
    """A tool that no one has seen before."""
    r = s.r
    verb = verb or (s.word("VERBS") if s.chance(0.9) else s.pseudo(1, 2).lower())
    noun = noun or (s.word("NOUNS") if s.chance(0.9) else s.pseudo(1, 3).lower())
    adj = s.word("ADJECTIVES") if s.chance(0.12) else ""
    bits = [verb, adj, noun] if adj else [verb, noun]
    name = r.choices(
        [
            "_".join(bits),
            bits[0] + "".join(b.capitalize() for b in bits[1:]),
            "".join(b.capitalize() for b in bits),
            "_".join(bits[1:]),
            bits[0],
            "-".join(bits),
            f"{s.pick('mcp', s.word('NOUNS'))}__{'_'.join(bits)}",
            f"{noun}_{verb}",
        ],
        [10, 2, 1, 1, 1, 0.7, 0.7, 1],
    )[0]
    what = (adj + " " if adj else "") + noun
    desc = s.pick(
        f"{verb.capitalize()} {article(what)}.",
        f"{verb.capitalize()} the {what}.",
        f"{verb.capitalize()} {what}s",
        f"{verb.capitalize()} the {what} of {article(s.word('NOUNS'))}.",
        f"Use this to {verb} {article(what)}.",
        f"{verb.capitalize()}s {article(what)} and returns the result.",
        f"Tool to {verb} {what}s.",
        "",
    )
    if name == verb or (noun + "_" not in name and noun not in name.lower()):
        desc = f"{verb.capitalize()} {article(what)}."
    params = {}
    for _ in range(r.choices([0, 1, 2, 3, 4], [1, 8, 5, 2.5, 1])[0]):
        kind = r.choices(["string", "integer", "number", "boolean", "enum"], [8, 3, 1.5, 1.5, 1.5])[
            0
        ]
        key = s.word(
            {
                "string": "STR_PARAMS",
                "enum": "STR_PARAMS",
                "integer": "INT_PARAMS",
                "number": "NUM_PARAMS",
                "boolean": "BOOL_PARAMS",
            }[kind]
        )
        if s.chance(0.08):
            key = s.pseudo(1, 2).lower()
        if kind == "enum":
            params[key] = enum(
                *dict.fromkeys(s.word("ENUM_VALUES") for _ in range(r.randint(2, 4)))
            )
        else:
            params[key] = {"type": kind}
    required = [k for k in params if r.random() < 0.8]
    heads = [
        f"{verb} the {what}",
        f"{verb} {article(what)}",
        f"{verb} {what}",
        f"{verb} my {what}",
        f"{verb} this {what}",
    ]
    if s.chance(0.15):
        heads.append(f"use {name}")
        heads.append(f"call {name}")
    return Tool(
        name,
        desc,
        params,
        required,
        heads=[h[0].upper() + h[1:] for h in heads],
        noun=noun,
        verb=verb,
    )


def request(s, tool):
    """(message, arguments) that calls for a tool."""
    args = tool.draw(s)
    if tool.phrases:
        t = s.r.choice(tool.phrases)
        if not t.startswith("{") and s.chance(0.2):
            t = t[0].lower() + t[1:]
        if not t.startswith("{") and s.chance(0.1):
            t = s.pick("Please: ", "Hi! ", "Now: ", "I have a question. ", "And ", "OK, ") + t
        full = {k: args.get(k, s.value(k, v["type"])) for k, v in tool.params.items()}
        if "enum" in str(tool.params):
            for k, v in tool.params.items():
                if "enum" in v and k not in args:
                    full[k] = s.r.choice(v["enum"])
        text = t.format(**{k: say(v) for k, v in full.items()})
        used = {k: full[k] for k in tool.params if "{" + k + "}" in t}
        return text, used
    head = s.r.choice(tool.heads)
    if not args:
        return polite(s, head) + s.pick("", "", ".", "!"), {}
    keys = list(args)
    if (
        len(keys) == 1
        and isinstance(args[keys[0]], (str, int, float))
        and not isinstance(args[keys[0]], bool)
        and s.chance(0.6)
    ):
        v = say(args[keys[0]])
        if isinstance(args[keys[0]], str) and s.chance(0.15) and '"' not in v:
            v = f'"{v}"'
        text = polite(
            s,
            f"{head} {s.pick('for', 'of', 'named', 'called', 'in', 'to', 'from', 'on', 'with', 'about', 'at')} {v}",
        )
    else:
        if s.chance(0.25):
            s.r.shuffle(keys)
        sep = s.pick(", ", ", ", " and ", "; ", ". ", " ")
        text = (
            polite(s, head)
            + s.pick(" ", ", ", ": ", " with ", ". ")
            + sep.join(ask_for(s, k, args[k]) for k in keys)
        )
    return text + s.pick("", "", "", ".", "?"), args


def two_values(s, tool):
    """(message, [arguments, arguments]) for one tool asked about two values, or None."""
    one = [k for k in tool.params if k in tool.required]
    if (
        len(tool.params) != 1
        or len(one) != 1
        or tool.params[one[0]]["type"] == "boolean"
        or "enum" in tool.params[one[0]]
    ):
        return None
    k = one[0]
    a, b = tool.draw(s)[k], tool.draw(s)[k]
    if a == b:
        return None
    prep = ""
    if tool.phrases:
        t = s.r.choice([p for p in tool.phrases if "{" in p])
        if " in {" in t and s.chance(0.4):
            prep = "in "
        joined = f"{say(a)} and {prep}{say(b)}"
        text = t.format(**{k: joined})
    else:
        p = s.pick("for", "of", "named", "in", "to", "from", "with")
        text = polite(s, f"{s.r.choice(tool.heads)} {p} {say(a)} and {s.pick('', p + ' ')}{say(b)}")
    return text, [{k: a}, {k: b}]


ADJ_WEATHER = "sunny cloudy rainy windy foggy snowy clear stormy cold warm".split()


def result(s, tool, args):
    """(tool output, answer)"""
    r = s.r
    is_weather = (tool.phrases and "eather" in "".join(tool.phrases[:1])) or "forecast" in tool.name
    if is_weather and s.chance(0.85):
        temp, cond = s.pick(r.randint(-20, 40), round(r.uniform(-20, 40), 1)), r.choice(ADJ_WEATHER)
        place = args.get("city") or args.get("location")
        out = {s.pick("temp", "temperature", "temp_c", "temperature_c"): temp}
        if s.chance(0.2):
            out = {"city": place, **out}
        if s.chance(0.75):
            out[s.pick("condition", "conditions", "sky", "description", "weather")] = cond
            if s.chance(0.15):
                out["humidity"] = r.randint(10, 99)
            return dumps(out), f"The weather in {place} is {temp} °C and {cond}."
        if s.chance(0.4):
            text = f"{temp} °C and {cond}"
            return text, f"The weather in {place} is {text}."
        if s.chance(0.4):
            text = f"{s.pick('It is', 'The weather is')} {cond} in {place} with {temp} °C."
            return text, text
        return dumps(out), f"The weather in {place} is {temp} °C."
    k = r.randrange(13)
    if set(args) == {"a", "b"} or "expression" in args or k < 2:
        n = s.pick(r.randint(-99, 99), r.randint(0, 99999), round(r.uniform(0, 500), 2))
        return s.pick(str(n), str(n), dumps({"result": n})), f"The result is {n}."
    if k == 2:
        t = s.text().rstrip(".")
        return s.pick(t, dumps({"result": t})), f"The result is {t}."
    if k == 3:
        return s.pick(
            "ok", "OK", "done", "success", "true", '{"status": "ok"}', '{"success": true}', "null"
        ), "Done."
    if k == 4:
        m = s.pick(
            f"{s.word('NOUNS')} not found",
            "timeout",
            "permission denied",
            f"no {s.word('NOUNS')} for {s.text()}",
            f"invalid {s.word('STR_PARAMS')}",
            "out of memory",
        )
        return s.pick(f"Error: {m}", dumps({"error": m}), f"error: {m}"), f"The tool failed: {m}."
    if k == 5:
        items = [
            s.pick(s.word("NOUNS"), s.file(), s.word("NAMES"), s.word("CITIES"), s.pseudo())
            for _ in range(r.randint(2, 5))
        ]
        return s.pick(
            dumps(items), "\n".join(items), dumps({"items": items})
        ), "I found " + ", ".join(items[:-1]) + " and " + items[-1] + "."
    looked_up = next(
        (
            v
            for p, v in args.items()
            if p in ("text", "query", "question", "topic", "keyword") and isinstance(v, str)
        ),
        None,
    )
    if k in (6, 7, 8) or (looked_up and s.chance(0.6)):
        sents = [s.sentence() for _ in range(r.randint(1, 4))]
        target = sents[0]
        if looked_up and s.chance(0.75):
            x = looked_up.rstrip(".")
            target = s.pick(
                f"The {x} is {s.word('ADJECTIVES')}.",
                f"{x.capitalize()} costs {r.randint(2, 900)} euros.",
                f"In {s.word('CITIES')} {x} is {s.word('ADJECTIVES')}.",
                f"{s.word('NAMES')} made the {x}.",
                f"We found {r.randint(2, 99)} {x}.",
                f"A good {x} needs a {s.word('NOUNS')}.",
                f"{s.word('NAMES')} says that {x} is {s.pseudo()}.",
            )
            sents.insert(r.randrange(len(sents) + 1), target)
        if s.chance(0.12):
            prose = filler(s, r.randint(100, 500)).strip()
            sents = [prose, target] if s.chance(0.5) and looked_up else [target, prose]
        if s.chance(0.5):
            extra = s.pick(
                {},
                {},
                {"source": s.file()},
                {"score": round(r.uniform(0, 1), 2)},
                {"id": r.randint(0, 99)},
            )
            key = s.pick("text", "text", "content", "passage", "chunk")
            rows = [{**extra, key: x} if s.chance(0.5) else {key: x, **extra} for x in sents]
            t = dumps(rows if s.chance(0.8) else {"results": rows})
        else:
            t = s.pick(" ", " ", "\n", "\n\n").join(sents)
            if s.chance(0.3):
                t = dumps({"text": t})
        return t, f"It says: {target}"
    out = {}
    for _ in range(r.randint(1, 3)):
        key = s.word(s.pick("STR_PARAMS", "INT_PARAMS", "NUM_PARAMS", "NOUNS"))
        out[key] = s.pick(
            r.randint(0, 999),
            round(r.uniform(0, 99), 1),
            s.pseudo(),
            s.word("NOUNS"),
            s.word("CITIES"),
            s.ident(),
            s.date(),
        )
    bits = [f"the {k.replace('_', ' ')} is {v}" for k, v in out.items()]
    ans = bits[0] if len(bits) == 1 else ", ".join(bits[:-1]) + " and " + bits[-1]
    return dumps(out), ans[0].upper() + ans[1:] + "."


def toolset(s, n=None):
    """Some distinct tools; sometimes confusable ones."""
    n = n or s.r.choices([1, 2, 3, 4], [4, 4, 3, 2])[0]
    tools = []
    for _ in range(20):
        if len(tools) == n:
            break
        if s.chance(0.35):
            t = curated_tool(s)
        elif tools and tools[0].verb and s.chance(0.3):
            t = (
                random_tool(s, verb=tools[0].verb)
                if s.chance(0.5)
                else random_tool(s, noun=tools[0].noun)
            )
        else:
            t = random_tool(s)
        clash = any(
            t.name == u.name
            or (t.verb and (t.verb, t.noun) == (u.verb, u.noun))
            or (
                t.phrases
                and u.phrases
                and (
                    set(t.phrases) & set(u.phrases)
                    or t.params.keys() & u.params.keys()
                    or not t.params
                    or not u.params
                )
            )
            for u in tools
        )
        if not clash:
            tools.append(t)
    s.r.shuffle(tools)
    return tools
