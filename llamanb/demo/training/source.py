"""The random source of words and values, split into training and held-out words."""

import random
import re
import string

import words as W

SPLIT_SEED = 20
HELD_OUT = 0.15  # share of every word list that only the evaluation uses


def _split(items):
    items = sorted(set(items))
    random.Random(SPLIT_SEED).shuffle(items)
    cut = max(1, int(len(items) * HELD_OUT))
    return {"train": items[cut:], "test": items[:cut]}


LISTS = {
    name: _split(getattr(W, name))
    for name in (
        "VERBS NOUNS STR_PARAMS INT_PARAMS NUM_PARAMS BOOL_PARAMS ENUM_VALUES CITIES NAMES LANGUAGES ADJECTIVES COMMON "
        "UNICODE_WORDS"
    ).split()
}


def _prose_words():
    """Some thousand English words (of Python's help texts), without the held-out ones."""
    from pydoc_data.topics import topics

    held = {w.lower() for lists in LISTS.values() for w in lists["test"]}
    words = set(re.findall(r"[A-Za-z]{2,12}", " ".join(topics[k] for k in sorted(topics))))
    return sorted(w for w in words if w.lower() not in held)


PROSE_WORDS = _prose_words()
SCRIPTS = [
    (0xC0, 0xFF),
    (0x100, 0x17F),
    (0x391, 0x3C9),
    (0x410, 0x44F),
    (0x5D0, 0x5EA),
    (0x621, 0x64A),
    (0x3041, 0x3093),
    (0x30A1, 0x30F6),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0x20A0, 0x20BF),
    (0x2190, 0x21FF),
    (0x1F300, 0x1F64F),
]


class Source:
    """A random source that draws words from one split ('train' or 'test')."""

    def __init__(self, seed, split="train"):
        self.r = random.Random(seed)
        self.split = split
        self.wild = 0.35  # share of words from outside the lists (training only)

    def word(self, name):
        if self.split == "train" and self.r.random() < self.wild:
            w = self.wild_word()
            return w.capitalize() if name in ("CITIES", "NAMES", "LANGUAGES") else w.lower()
        return self.r.choice(LISTS[name][self.split])

    def wild_word(self):
        """Any word at all: copying must not depend on the word."""
        r = self.r
        k = r.random()
        if k < 0.7:
            return r.choice(PROSE_WORDS)
        if k < 0.85:
            return (
                r.choice(PROSE_WORDS)[: r.randint(1, 4)] + r.choice(PROSE_WORDS)[-r.randint(1, 4) :]
            )
        return self.pseudo()

    def foreign(self):
        """Letters of some script."""
        a, b = self.r.choice(SCRIPTS)
        return "".join(chr(self.r.randint(a, b)) for _ in range(self.r.randint(1, 5)))

    def pick(self, *items):
        return self.r.choice(items)

    def chance(self, p):
        return self.r.random() < p

    def pseudo(self, lo=1, hi=3):
        r = self.r
        s = "".join(
            r.choice(["", *"bcdfghjklmnprstvwz", "ch", "st", "br", "tr", "sh", "pl"])
            + r.choice("aeiou")
            + r.choice(["", "", *"nrlstmxk"])
            for _ in range(r.randint(lo, hi))
        )
        return r.choice([s, s, s.capitalize(), s.upper()])

    def ident(self):
        r = self.r
        return r.choice(
            [
                lambda: (
                    "".join(r.choices(string.ascii_uppercase, k=r.randint(1, 3)))
                    + "-"
                    + str(r.randint(1, 9999))
                ),
                lambda: "".join(
                    r.choices(string.ascii_lowercase + string.digits, k=r.randint(3, 8))
                ),
                lambda: f"{self.pseudo().lower()}_{r.randint(1, 99)}",
                lambda: str(r.randint(1, 99999)),
            ]
        )()

    def phrase(self, lo=1, hi=5):
        r = self.r
        return " ".join(
            self.word(r.choices(["COMMON", "NOUNS", "ADJECTIVES", "VERBS"], [3, 3, 2, 1])[0])
            for _ in range(r.randint(lo, hi))
        )

    def file(self):
        r = self.r
        stem = r.choice(
            [
                self.word("NOUNS"),
                self.pseudo().lower(),
                f"{self.word('ADJECTIVES')}_{self.word('NOUNS')}",
            ]
        )
        path = r.choice(
            [
                "",
                "",
                "",
                "data/",
                "src/",
                "/tmp/",
                "docs/",
                f"{self.word('NOUNS')}/",
                "/home/" + self.word("NAMES").lower() + "/",
            ]
        )
        return (
            path
            + stem
            + "."
            + r.choice("txt csv md py json ipynb gguf pdf png yaml R html toml log".split())
        )

    def email(self):
        r = self.r
        return (
            self.word("NAMES").lower()
            + r.choice(["", ".", "_"])
            + r.choice(["", str(r.randint(1, 99))])
            + "@"
            + r.choice([self.word("NOUNS"), self.pseudo().lower()])
            + r.choice([".com", ".org", ".de", ".net", ".io"])
        )

    def date(self):
        r = self.r
        return f"{r.randint(1990, 2035)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"

    def code(self):
        r, n = self.r, self.word("NOUNS")
        return r.choice(
            [
                f'print("{self.phrase(1, 3)}")',
                f"print({r.randint(0, 99)} + {r.randint(0, 99)})",
                f"{n} = {r.randint(0, 999)}",
                f"import {r.choice(['math', 'os', 'json', 'numpy', self.pseudo().lower()])}",
                f"len({n})",
                f"{n}.{self.word('VERBS')}()",
                f"{self.word('VERBS')}_{n}({r.randint(0, 99)})",
                f"[{r.randint(0, 9)}, {r.randint(0, 9)}]",
                f"df['{n}'].mean()",
                f"for i in range({r.randint(2, 20)}): print(i)",
                f'{n} = "{self.pseudo()}"',
                f"{n} <- c({r.randint(0, 9)}, {r.randint(0, 9)})",
            ]
        )

    def text(self):
        """Any text worth copying."""
        r = self.r
        k = r.randrange(13)
        if k < 4:
            return self.phrase(1, 6)
        if k == 12:
            return (
                self.code()
                if r.random() < 0.5
                else f'{self.word("NAMES")} said "{self.phrase(1, 3)}"'
            )
        if k == 4:
            return self.sentence()
        if k == 5:
            return self.word("CITIES")
        if k == 6:
            return self.word("NAMES")
        if k == 7:
            return " ".join(self.pseudo() for _ in range(r.randint(1, 3)))
        if k == 8:
            return self.ident()
        if k == 9:
            return r.choice([self.file, self.email, self.date])()
        if k == 10:
            return " ".join(
                self.word("UNICODE_WORDS")
                if r.random() < 0.4
                else self.foreign()
                if r.random() < 0.7
                else self.word("NOUNS")
                for _ in range(r.randint(1, 3))
            )
        return self.word("COMMON") + " " + self.pseudo()

    def sentence(self):
        r = self.r
        n, n2 = self.word("NOUNS"), self.word("NOUNS")
        return r.choice(
            [
                f"The {n} is {self.word('ADJECTIVES')}.",
                f"The {self.word('ADJECTIVES')} {n} is near the {n2}.",
                f"{self.word('NAMES')} likes the {n}.",
                f"My {n} costs {r.randint(2, 900)} euros.",
                f"{self.word('NAMES')} lives in {self.word('CITIES')}.",
                f"A {n} has {r.randint(2, 90)} {n2}s.",
                f"We {self.word('VERBS')} the {n} every {r.choice(['day', 'week', 'year'])}.",
            ]
        )

    def value(self, name, kind):
        """A value of a JSON type that suits a parameter name."""
        r = self.r
        if kind == "integer":
            return r.choice(
                [
                    r.randint(0, 9),
                    r.randint(1, 99),
                    r.randint(10, 999),
                    r.randint(100, 99999),
                    -r.randint(1, 50) if r.random() < 0.3 else r.randint(1, 20),
                ]
            )
        if kind == "number":
            return r.choice(
                [
                    r.randint(1, 500),
                    round(r.uniform(0, 10), 1),
                    round(r.uniform(0, 500), 2),
                    round(r.uniform(0, 1), 2),
                    -round(r.uniform(0, 90), 1),
                ]
            )
        if kind == "boolean":
            return r.random() < 0.6
        if r.random() < 0.25:
            return self.text().rstrip(".")
        for keys, make in (
            (
                ("city", "place", "location", "destination", "origin", "region"),
                lambda: self.word("CITIES"),
            ),
            (
                ("name", "customer", "owner", "author", "artist", "recipient", "user", "sender"),
                lambda: self.word("NAMES"),
            ),
            (("path", "file", "folder"), self.file),
            (("email",), self.email),
            (("date", "start", "end"), self.date),
            (("_id", "code", "key", "id", "version"), self.ident),
            (("language",), lambda: self.word("LANGUAGES")),
            (
                (
                    "query",
                    "text",
                    "message",
                    "question",
                    "prompt",
                    "topic",
                    "title",
                    "content",
                    "subject",
                ),
                lambda: self.phrase(1, 6),
            ),
        ):
            if any(k in name for k in keys):
                return str(make())
        return r.choice(
            [lambda: self.phrase(1, 2), lambda: self.phrase(1, 1), self.pseudo, self.ident]
        )()


def filler(s, chars):
    """English prose of any length (help texts of the Python interpreter) for long system prompts."""
    from pydoc_data.topics import topics

    texts = list(topics.values())
    out = ""
    while len(out) < chars:
        t = s.r.choice(texts)
        i = s.r.randrange(max(1, len(t) - 200))
        out += t[i : i + s.r.randint(200, 3000)] + "\n\n"
    return out[:chars].replace("<|", "< |")
