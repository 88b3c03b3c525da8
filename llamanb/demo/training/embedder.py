"""Build llamanb-demo-embed: a word-matching text embedding in the shape of a BERT model.

Nothing is trained. Each word piece gets a random direction (pieces that share letters get similar ones), scaled by how rare
the piece is; the transformer layer is empty and mean pooling adds the pieces up. So a text's embedding is its TF-IDF bag of
words, which is enough to look up passages offline. It knows no synonyms.

    python embedder.py --out llamanb-demo-embed.gguf
"""

import argparse
import json
import math
import struct
import tempfile
import zlib
from collections import Counter
from pathlib import Path

import convert_bert
import corpus as C
import numpy as np
import words as W


def direction(key, dim):
    v = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(dim)
    v -= v.mean()
    return v / np.linalg.norm(v)


def piece_vector(piece, dim):
    word = piece.removeprefix("##")
    v = direction(piece, dim) * 0.6 + direction("bare " + word, dim) * 0.6
    stem = f"<{word}"
    for n in (4, 5, 6):
        if len(stem) > n:
            v = v + direction("stem " + stem[:n], dim) * 0.35
    v -= v.mean()
    return v / np.linalg.norm(v)


def write_safetensors(path, tensors):
    head, blobs, at = {}, [], 0
    for name, x in tensors.items():
        b = np.ascontiguousarray(x, np.float32).tobytes()
        head[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    h = json.dumps(head).encode()
    with Path(path).open("wb") as f:
        f.write(struct.pack("<Q", len(h)) + h + b"".join(blobs))


def build(out, size=5000, dim=256, context=1024, seed=11, kind="q8_0"):
    from tokenizers import BertWordPieceTokenizer

    s = C.Source(seed)
    prose = [C.filler(s, 500) for _ in range(3000)]
    chat = [" ".join(t["content"] for t in C.conversation(s).turns) for _ in range(3000)]
    lists = [
        " ".join(getattr(W, n))
        for n in ("VERBS", "NOUNS", "ADJECTIVES", "COMMON", "CITIES", "NAMES", "FUNCTION_WORDS")
    ] * 3
    tok = BertWordPieceTokenizer(lowercase=True)
    tok.train_from_iterator(
        prose + chat + lists, vocab_size=size, min_frequency=1, show_progress=False
    )
    docs = prose + chat
    df = Counter()
    for d in docs:
        df.update(set(tok.encode(d).tokens))
    folder = Path(tempfile.mkdtemp()) / "llamanb-demo-embed"  # becomes the model's name
    folder.mkdir()
    tok.save_model(str(folder))
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    inner = (
        dim - 2
    )  # two more channels fill every vector up to one length, so that layer norm keeps the weights
    emb = np.zeros((len(pieces), dim))
    top = math.log(len(docs))
    for i, p in enumerate(pieces):
        weight = 0.0
        if p not in ("[PAD]", "[CLS]", "[SEP]", "[MASK]"):
            weight = (math.log(len(docs) / (1 + df[p])) / top) ** 1.5 if df[p] < len(docs) else 0.0
            weight *= 0.3 if p.startswith("##") else 1.0
            weight *= (
                0.1
                if len(p.removeprefix("##")) == 1 and not p.removeprefix("##").isdigit()
                else 1.0
            )
        weight = min(max(weight, 0.0), 1.0) * 0.99
        emb[i, :inner] = piece_vector(p, inner) * weight
        emb[i, inner] = math.sqrt((1 - weight**2) / 2)
        emb[i, inner + 1] = -emb[i, inner]
    ff = 32
    one, zero = np.ones(dim), np.zeros(dim)
    keep = one.copy()
    keep[inner:] = 0
    layer = "encoder.layer.0."
    t = {
        "embeddings.word_embeddings.weight": emb,
        "embeddings.token_type_embeddings.weight": np.zeros((2, dim)),
        "embeddings.position_embeddings.weight": np.zeros((context, dim)),
        "embeddings.LayerNorm.weight": one,
        "embeddings.LayerNorm.bias": zero,
        layer + "attention.output.LayerNorm.weight": one,
        layer + "attention.output.LayerNorm.bias": zero,
        layer + "output.LayerNorm.weight": keep,
        layer + "output.LayerNorm.bias": zero,
        layer + "intermediate.dense.weight": np.zeros((ff, dim)),
        layer + "intermediate.dense.bias": np.zeros(ff),
        layer + "output.dense.weight": np.zeros((dim, ff)),
        layer + "output.dense.bias": zero,
    }
    for part in (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
    ):
        t[layer + part + ".weight"], t[layer + part + ".bias"] = np.zeros((dim, dim)), zero
    write_safetensors(folder / "model.safetensors", t)
    shape = {
        "model_type": "bert",
        "hidden_size": dim,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": ff,
        "max_position_embeddings": context,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(shape), encoding="utf-8")
    convert_bert.convert(folder, out, kind)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default="llamanb-demo-embed.gguf")
    ap.add_argument("--type", default="q8_0", choices=["f32", "f16", "q8_0"])
    a = ap.parse_args()
    build(a.out, kind=a.type)
    print(a.out, Path(a.out).stat().st_size, "bytes")
