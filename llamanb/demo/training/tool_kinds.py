"""How the curated tools are declared: kinds of parameters, and the list they are put into."""

from source import Source

CURATED = {"train": [], "test": []}


def curated(split, name, desc, params, phrases, required=None):
    CURATED[split].append(
        {
            "names": name.split("|"),
            "desc": desc.split("|"),
            "params": params,
            "phrases": phrases,
            "required": required,
        }
    )


STR, INT, NUM, BOOL = ({"type": t} for t in ("string", "integer", "number", "boolean"))


def enum(*v):
    return {"type": "string", "enum": list(v)}


def gen(kind, f):
    return {"type": kind, "gen": f}


def _small(s):
    return s.r.choice(
        [s.r.randint(0, 20), s.r.randint(0, 999), s.r.randint(1000, 99999), -s.r.randint(1, 99)]
    )


CITY = gen("string", lambda s: s.word("CITIES") if s.chance(0.8) else s.pseudo().capitalize())
PERSON = gen("string", lambda s: s.word("NAMES"))
FILE = gen("string", Source.file)
QUERY = gen("string", lambda s: s.phrase(1, 6))
TEXT = gen("string", Source.text)
WHOLE = gen("integer", _small)
REAL = gen("number", lambda s: s.value("x", "number"))
