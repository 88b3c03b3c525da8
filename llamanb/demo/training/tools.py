"""A tool with its schema, and the words around a call."""

from source import filler


class Tool:
    def __init__(self, name, desc, params, required=None, phrases=(), heads=(), noun="", verb=""):
        self.name, self.desc, self.params = name, desc, params  # params: {name: spec}
        self.required = list(params) if required is None else required
        self.phrases, self.heads, self.noun, self.verb = list(phrases), list(heads), noun, verb

    def schema(self, s):
        props, about = {}, s.chance(0.35)
        for k, spec in self.params.items():
            p = {"type": spec["type"]}
            if "enum" in spec:
                p["enum"] = spec["enum"]
            if about:
                w = k.replace("_", " ")
                p["description"] = s.pick(
                    f"The {w}.",
                    w.capitalize(),
                    f"{w} to use",
                    f"The {w} of the {s.word('NOUNS')}",
                    f"{w.capitalize()}, e.g. {say(s.value(k, spec['type']))}",
                    f"Name of the {w}",
                    f"The {w} to {s.word('VERBS')}",
                    f"{s.word('ADJECTIVES').capitalize()} {w}",
                )
            props[k] = p
        f = {"name": self.name}
        if self.desc and s.chance(0.93):
            f["description"] = self.desc
            if s.chance(0.05):
                f["description"] += s.pick(" ", "\n") + (
                    s.sentence() if s.chance(0.7) else filler(s, s.r.randint(100, 700))
                )
        if props or s.chance(0.6):
            f["parameters"] = {"type": "object", "properties": props}
            if self.required and s.chance(0.9):
                f["parameters"]["required"] = self.required
            if s.chance(0.06):
                f["parameters"]["additionalProperties"] = False
        return f

    def draw(self, s):
        args = {}
        for k, spec in self.params.items():
            if k in self.required or s.chance(0.5):
                if "enum" in spec:
                    args[k] = s.r.choice(spec["enum"])
                elif "gen" in spec:
                    args[k] = spec["gen"](s)
                else:
                    args[k] = s.value(k, spec["type"])
        return args


def say(v):
    if v is True:
        return "true"
    if v is False:
        return "false"
    return str(v)


def ask_for(s, key, value):
    """Mention one parameter in a message."""
    k = key if s.chance(0.3) else key.replace("_", " ")
    if isinstance(value, bool):
        if value:
            return s.pick(
                f"with {k}",
                f"with {k} on",
                f"{k}: true",
                f"{k} = true",
                f"{k} yes",
                f"set {k} to true",
                f"{k} on",
            )
        return s.pick(
            f"without {k}",
            f"with {k} off",
            f"{k}: false",
            f"{k} = false",
            f"{k} no",
            f"set {k} to false",
        )
    v = say(value)
    if isinstance(value, str) and s.chance(0.2):
        v = s.pick(f'"{v}"', f"'{v}'") if "'" not in v and '"' not in v else v
    return s.pick(
        f"{k} {v}",
        f"{k} = {v}",
        f"{k}: {v}",
        f"with {k} {v}",
        f"the {k} is {v}",
        f"{k} is {v}",
        f"{v} as {k}",
        f"{k} set to {v}",
        f"and the {k} {v}",
        f"use {k} {v}",
    )


def polite(s, text):
    """Wrap a request."""
    low = text[:1].lower() + text[1:]
    return s.r.choices(
        [
            text,
            low,
            f"Please {low}",
            f"Can you {low}",
            f"Could you {low}",
            f"I want to {low}",
            f"{text}, please",
            f"Now {low}",
            f"I need to {low}",
            f"Hi! {text}",
        ],
        [6, 3, 2, 2, 1, 1, 1, 1, 1, 0.5],
    )[0]


def article(w):
    return ("an " if w[0] in "aeiou" else "a ") + w
