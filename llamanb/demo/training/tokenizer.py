"""The byte-level BPE vocabulary of llamanb-demo.

Merges are learned inside words only: a space, a quote or a digit never joins a word. So `Paris` has the same tokens in
` Paris` and in `"Paris"`, which makes copying easy for a small model. Exceptions: some function words get a token with a
leading space, and frequent pieces of JSON are single (user-defined) tokens.

    python tokenizer.py --size 2304 --out vocab.json
"""

import argparse
import json
from pathlib import Path

CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
JSON = [
    '{"name": "',
    '", "arguments": {"',
    '", "arguments": {}}',
    '", "description": "',
    '", "parameters": {"type": "object", "properties": {"',
    '", "parameters": {"properties": {"',
    '": {"type": "string"}, "',
    '": {"type": "integer"}, "',
    '": {"type": "number"}, "',
    '": {"type": "boolean"}, "',
    '": {"type": "string"}}',
    '": {"type": "integer"}}',
    '": {"type": "number"}}',
    '": {"type": "boolean"}}',
    '": {"type": "string", "',
    '": {"type": "integer", "',
    '": {"type": "',
    '": {"description": "',
    '"enum": ["',
    ', "required": ["',
    '"], "type": "object"}',
    '"]}}',
    '"}, "',
    '"}}',
    '": "',
    '": ',
    '", "',
    ', "',
    '{"',
    '"}',
    "}}",
]
USER_DEFINED = TAGS + JSON
# the pre-tokenizer that llama.cpp calls "qwen2"
PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS_ONLY = r"\p{L}+|\p{N}|[\r\n]+|[ \t]+|[^\s\p{L}\p{N}]+"  # used while learning merges
SPECIAL = sorted(CONTROL + USER_DEFINED, key=len, reverse=True)


class Vocabulary:
    def __init__(self, path):
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

        d = json.loads(Path(path).read_text(encoding="utf-8"))
        self.tokens, self.merges = d["tokens"], [tuple(m) for m in d["merges"]]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        plain = {t: i for t, i in self.ids.items() if t not in SPECIAL}
        self.bpe = Tokenizer(models.BPE(plain, self.merges))
        self.bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(PATTERN), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self.bpe.decoder = decoders.ByteLevel()

    def __len__(self):
        return len(self.tokens)

    def encode(self, text):
        """Like llama.cpp: cut out the special tokens, longest first, then BPE the rest."""
        parts = [text]
        for sp in SPECIAL:
            if sp not in text:
                continue
            new = []
            for p in parts:
                if isinstance(p, int):
                    new.append(p)
                    continue
                for i, q in enumerate(p.split(sp)):
                    if i:
                        new.append(self.ids[sp])
                    if q:
                        new.append(q)
            parts = new
        out = []
        for p in parts:
            out.extend([p] if isinstance(p, int) else self.bpe.encode(p).ids)
        return out

    def decode(self, ids):
        out, run = "", []
        for i in [*list(ids), None]:
            t = self.tokens[i] if i is not None else None
            if t is None or t in SPECIAL:
                out += self.bpe.decode(run) if run else ""
                run = []
                out += t or ""
            else:
                run.append(i)
        return out


def learn(size, seed):
    import corpus as C
    import words as W
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    s = C.Source(seed)

    def texts():
        for _ in range(12000):
            t = "".join(t for t, _ in C.render(C.conversation(s)))
            for sp in SPECIAL:
                t = t.replace(sp, "\n")
            yield t
        for _ in range(250):
            yield C.filler(s, 2000)
        for _ in range(
            2
        ):  # every list word counts, held out or not: only the spelling is seen here
            for name in C.LISTS:
                yield " ".join(C.LISTS[name]["train"])

    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS_ONLY), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    words = W.FUNCTION_WORDS
    room = size - len(CONTROL) - len(USER_DEFINED) - len(words)
    tok.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=room,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            max_token_length=14,
        ),
    )
    d = json.loads(tok.to_str())["model"]
    vocab = sorted(d["vocab"], key=d["vocab"].get)
    merges = [m.split(" ") if isinstance(m, str) else m for m in d["merges"]]
    for w in words:
        if w in d["vocab"] and "Ġ" + w not in vocab:
            merges.append(["Ġ", w])
            vocab.append("Ġ" + w)
    tokens = vocab + CONTROL + USER_DEFINED
    for i in range(size - len(tokens)):
        tokens.append(f"<|unused_{i}|>")
    return {"tokens": tokens, "merges": merges}


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--size", type=int, default=2304)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--out", default="vocab.json")
    a = ap.parse_args()
    learned = json.dumps(learn(a.size, a.seed), ensure_ascii=False)
    Path(a.out).write_text(learned, encoding="utf-8")
    v = Vocabulary(a.out)
    import corpus as C

    s = C.Source(7)
    n = ch = 0
    for _ in range(500):
        t = "".join(t for t, _ in C.render(C.conversation(s)))
        ids = v.encode(t)
        assert v.decode(ids) == t, (v.decode(ids), t)
        n, ch = n + len(ids), ch + len(t)
    f = C.filler(s, 50000)
    print(
        len(v),
        "tokens; conversations:",
        round(n / 500),
        "tokens each,",
        round(ch / n, 2),
        "characters/token; prose:",
        round(50000 / len(v.encode(f)), 2),
    )
