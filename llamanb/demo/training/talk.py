"""Chat without tools: facts, questions it cannot answer, copying, remembering."""

import re

from facts import CAPITALS, FACTS, UNKNOWN


def rephrase(s, q):
    """Other ways to put a question."""
    m = re.match(r"What is (.*?)\?$", q)
    if m and s.chance(0.5):
        x = m.group(1)
        return s.pick(
            f"Tell me what {x} is",
            f"Could you tell me what {x} is?",
            f"I'd like to know what {x} is.",
            f"Do you know what {x} is?",
            f"what's {x}?",
            f"What's {x}?",
            f"Please explain what {x} is.",
            f"{x}?",
            f"What exactly is {x}?",
            f"So what is {x}?",
            f"Can you explain {x}?",
            f"What does {x} mean?",
            f"Please tell me about {x}.",
            f"I want to know about {x}.",
            f"Have you heard of {x}?",
        )
    m = re.match(r"(Why|How|Who|Where|Which) (is|are|does|do|did) (.*)\?$", q)
    if m and s.chance(0.35):
        w = m.group(1).lower()
        return s.pick(
            f"So {w} {m[2]} {m[3]}?",
            f"{m[1]} exactly {m[2]} {m[3]}?",
            f"{w} {m[2]} {m[3]} today?",
            f"I ask myself {w} {m[2]} {m[3]}.",
            f"Hey, {w} {m[2]} {m[3]}?",
            f"Well, {w} {m[2]} {m[3]}?",
            f"Do you know {w} {m[2]} {m[3]}?",
            f"And {w} {m[2]} {m[3]}?",
        )
    if s.chance(0.08):
        return (
            s.pick("Hey, ", "So ", "pls ", "Please ", "Well, ", "Could you ", "Now ", "hmm, ")
            + q[0].lower()
            + q[1:]
            + s.pick("", "", " please", " for me", " now", "!!")
        )
    return q


def fact(s):
    """(question, answer, reasoning)"""
    if s.chance(0.12):
        country = s.r.choice(list(CAPITALS))
        q = s.pick(
            f"What is the capital of {country}?",
            f"Which city is the capital of {country}?",
            f"Name the capital of {country}",
            f"capital of {country}?",
            f"Tell me the capital of {country}",
        )
        return q, f"The capital of {country} is {CAPITALS[country]}.", "I know this capital."
    key, questions, answer = s.r.choice(FACTS)
    q = rephrase(s, s.r.choice(questions))
    if key in ("hello", "how", "thanks", "bye", "ok"):
        why = "The user is being friendly. I answer in a friendly way."
    elif key in ("who", "maker", "can", "size"):
        why = "The user asks about me."
    else:
        why = "I know the answer to this."
        if s.chance(0.25):
            q = s.pick(
                "Please: {}",
                "Hi! {}",
                "Can you help me? {}",
                "{} Answer in one sentence.",
                "Question: {}",
                "I wonder: {}",
                "{} Please be brief.",
                "Now tell me: {}",
            ).format(q)
    if s.chance(0.25):
        q = q[0].lower() + q[1:]
    if s.chance(0.2):
        q = q.rstrip("?!.") + s.pick("", "!", "?", ".", " ?")
    return q, answer, why


def unknown(s):
    n, a, n2, v, p = (
        s.word("NOUNS"),
        s.word("ADJECTIVES"),
        s.word("NOUNS"),
        s.word("VERBS"),
        s.word("NAMES"),
    )
    while n in ("token", "moon", "light", "star"):  # there are facts about these
        n = s.word("NOUNS")
    q = s.pick(
        f"Why is the {n} {a}?",
        f"What is a {n}?",
        f"Who invented the {n}?",
        f"How do I {v} a {n}?",
        f"When was the {n} of {s.word('CITIES')} built?",
        f"Write a program that can {v} {n}s.",
        f"Explain the {n} of the {n2}.",
        f"How many {n}s are in a {n2}?",
        f"What does {p} think about the {n}?",
        f"Compare a {n} with a {n2}.",
        f"Who is {p} {s.pseudo().capitalize()}?",
        f"What is {s.phrase(1, 3)}?",
        f"Give me advice about my {n}.",
        f"Which {n} is the best?",
        f"Tell me about {s.word('CITIES')}.",
        f"Solve {s.r.randint(2, 99)} * {s.r.randint(2, 99)}.",
        f"Fix the {n} in {s.file()}.",
        f"Where can I {v} a {a} {n}?",
        f"What happened in {s.r.randint(1000, 2030)}?",
        f"Translate {s.phrase(2, 5)}",
    )
    return q, UNKNOWN, "I do not know this."


def copy_task(s):
    t = s.text()
    if s.chance(0.3):
        t = s.pick(
            lambda: " ".join(s.text() for _ in range(2)), lambda: s.phrase(4, 10), s.sentence
        )()
    if s.chance(0.12):
        q = s.pick(f"{t}\n\nRepeat the text above.", f"Text:\n{t}\nCopy this text.")
    else:
        q = s.pick(
            "Repeat after me: {}",
            "Say {}",
            "Repeat: {}",
            'Say "{}"',
            "Echo {}",
            "Please repeat: {}",
            "Copy this text: {}",
            "Write: {}",
            "Print {}",
            'Repeat "{}"',
            "Say the following: {}",
            "Reply with {}",
            "Answer with the word {}",
            "Just say {}",
            "Reply with exactly: {}",
            "Output {}",
            "Respond with {}",
        ).format(t)
    return q, t, "I repeat the text."


def memory(s):
    """Things said earlier, asked later: [(question, answer, reasoning)]"""
    name, city, n = s.word("NAMES"), s.word("CITIES"), s.word("NOUNS")
    thing = s.text().rstrip(".") if s.chance(0.5) else s.pseudo()
    kind = s.r.randrange(6)
    if kind == 0:
        out = [
            (
                s.pick(
                    f"My name is {name}.", f"I am {name}.", f"Hi, I'm {name}.", f"Call me {name}."
                ),
                f"Nice to meet you, {name}!",
                "The user tells me a name.",
            ),
            (
                s.pick("What is my name?", "Who am I?", "Do you remember my name?"),
                f"Your name is {name}.",
                "The user told me the name.",
            ),
        ]
    elif kind == 1:
        out = [
            (
                s.pick(f"I live in {city}.", f"I am from {city}.", f"My home is {city}."),
                f"{city} is a nice place.",
                "The user tells me a place.",
            ),
            (
                s.pick("Where do I live?", "Where am I from?", "Which city do I live in?"),
                f"You live in {city}.",
                "The user told me the place.",
            ),
        ]
    elif kind == 2:
        out = [
            (
                s.pick(
                    f"My {n} is called {thing}.",
                    f"The {n} is {thing}.",
                    f"Remember: the {n} is {thing}.",
                ),
                f"OK, the {n} is {thing}.",
                "The user tells me something.",
            ),
            (
                s.pick(
                    f"What is the {n}?",
                    f"What is my {n} called?",
                    f"Tell me the {n}.",
                    f"Which {n}?",
                ),
                f"The {n} is {thing}.",
                "The user told me that.",
            ),
        ]
    elif kind == 3:
        sents = [
            (
                s.word("NOUNS"),
                s.pick(
                    s.word("ADJECTIVES"), s.pseudo(), str(s.r.randint(2, 999)), s.word("CITIES")
                ),
            )
            for _ in range(s.r.randint(1, 4))
        ]
        noun, val = s.r.choice(sents)
        dup = [v for k, v in sents if k == noun]
        val = dup[0]
        ctx = " ".join(f"The {k} is {v}." for k, v in sents)
        q = s.pick(
            f"What is the {noun}?",
            f"Tell me the {noun}.",
            f"What do the documents say about the {noun}?",
            f"Which {noun}?",
        )
        out = [
            (
                s.pick(
                    f"Context: {ctx}\nQuestion: {q}",
                    f"{ctx}\n\n{q}",
                    f"{ctx} {q}",
                    f"Documents:\n{ctx}\n\n{q}",
                ),
                f"The {noun} is {val}.",
                "The text says it.",
            )
        ]
    elif kind == 4:
        w = [
            s.pick(s.word("NOUNS"), s.word("CITIES"), s.pseudo(), s.word("NAMES"))
            for _ in range(s.r.randint(2, 5))
        ]
        lst = ", ".join(w)
        which = s.pick("first", "last")
        out = [
            (
                s.pick(
                    f"Here is a list: {lst}. What is the {which} item?",
                    f"{lst}\nGive me the {which} item.",
                    f"What is the {which} word of this list: {lst}?",
                ),
                w[0 if which == "first" else -1],
                f"I look for the {which} item.",
            )
        ]
    else:
        out = [
            (
                s.pick(f"I like {thing}.", f"I want {thing}.", f"I am thinking of {thing}."),
                f"You like {thing}, I see.",
                "The user tells me something.",
            ),
            (
                s.pick("What do I like?", "What did I say?"),
                f"You like {thing}.",
                "The user told me that.",
            ),
        ]
    return out
