"""Train llamanb-demo from scratch.

    python train.py --steps 3000 --out run                                       # CPU
    python train.py --steps 6000 --tokens 65536 --device cuda --workers 14 --compile --out run   # GPU

The learning rate warms up, holds, and in the last part of the steps cools down to zero. `--resume run/hold.pt` continues
from the state before the cool-down (`last.pt`: from the latest one). Samples are made on the fly, some before each chunk.
"""

import argparse
import contextlib
import fcntl
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import corpus as C
import numpy as np
import torch
import torch.nn.functional as F
from model import Config, Model
from tokenizer import Vocabulary

HERE = Path(__file__).resolve().parent


# ------------------------------------------------------------------------------------------------------------- data
def tokens_of(vocab, c, sort=False):
    """(ids, mask): mask[i] tells whether token i has to be predicted."""
    ids, mask = [], []
    parts = C.render(c, sort)
    # encode the learned and the given parts as one text wherever llama.cpp will see them as one
    for text, learn in parts:
        if not text:
            continue
        e = vocab.encode(text)
        ids += e
        mask += [learn] * len(e)
    return ids, mask


VOCAB = {}


def make_samples(vocab_path, seed, n, kind="main", max_len=1024, filler=0.0, seconds=1e9):
    """[(ids, mask)] of n new conversations (runs in worker processes too)."""
    if vocab_path not in VOCAB:
        VOCAB[vocab_path] = Vocabulary(vocab_path)
    vocab, s, t0, items = VOCAB[vocab_path], C.Source(seed), time.time(), []
    words = [t for t in vocab.tokens[:-60] if t.isascii() and t.isalnum()]
    for i in range(n):
        if kind == "drill":
            c = C.drill(s, words)
        else:
            c = C.conversation(s)
            if s.chance(filler):
                long = C.filler(s, int(math.exp(s.r.uniform(math.log(200), math.log(max_len * 2)))))
                c.system = s.pick(long + "\n" + c.system, c.system + "\n" + long).strip()
        ids, mask = tokens_of(vocab, c, sort=s.chance(0.2))
        if len(ids) <= max_len:
            items.append((np.array(ids, np.int32), np.array(mask, bool)))
        if time.time() - t0 > seconds and i > 500:
            break
    return items


class Pool:
    """Samples in memory; `grow` adds new ones and drops the oldest when there are too many."""

    def __init__(self, vocab_path, seed, size, workers=None, **options):
        self.vocab_path, self.seed, self.size, self.workers, self.options = (
            vocab_path,
            seed,
            size,
            workers,
            options,
        )
        self.items, self.jobs = [], []

    def next_seed(self):
        self.seed += 1
        return self.seed * 1000003

    def grow(self, n, seconds=1e9):
        if self.workers is None:
            self.items += make_samples(
                self.vocab_path, self.next_seed(), n, seconds=seconds, **self.options
            )
        else:  # keep the workers busy, take what is ready (or wait for the first)
            while len(self.jobs) < 2 * self.workers._max_workers:
                self.jobs.append(
                    self.workers.submit(
                        make_samples, self.vocab_path, self.next_seed(), 500, **self.options
                    )
                )
            while self.jobs and (self.jobs[0].done() or len(self.items) < min(n, self.size)):
                self.items += self.jobs.pop(0).result()
        del self.items[: -self.size]
        return self


def batches(pool, budget, rng, window):
    """Endless batches of samples of similar length, each about `budget` tokens with padding."""
    while True:
        items = list(pool.items)
        order = rng.permutation(len(items))
        for i in range(0, len(order), window):
            part = sorted(order[i : i + window], key=lambda j: len(items[j][0]))
            groups, cur = [], []
            for j in part:
                if cur and (len(cur) + 1) * _up(len(items[j][0])) > budget:
                    groups.append(cur)
                    cur = []
                cur.append(j)
            groups.append(cur)
            rng.shuffle(groups)
            for g in groups:
                yield [items[j] for j in g]


def _up(n, m=32):
    return (n + m - 1) // m * m


def collate(samples, rng, gap=0.35, max_gap=40000, breaks=()):
    t = _up(max(len(i) for i, _ in samples))
    ids = np.zeros((len(samples), t), np.int64)
    mask = np.zeros((len(samples), t), bool)
    pos = np.tile(np.arange(t), (len(samples), 1))
    for r, (i, m) in enumerate(samples):
        ids[r, : len(i)] = i
        mask[r, : len(i)] = m
        # jumps in the positions imitate long prompts (RoPE then sees far distances)
        # only where a line or a turn begins, so that words stay together
        places = np.flatnonzero(np.isin(i, breaks))[1:] if len(breaks) else ()
        while len(places) and rng.random() < gap:
            pos[r, rng.choice(places) :] += int(math.exp(rng.uniform(0, math.log(max_gap))))
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(pos)


# ------------------------------------------------------------------------------------------------------------ train
def optimizers(model, lr):
    muon = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if not (p.dim() == 2 and "embed" not in n)]
    return [
        torch.optim.Muon(
            muon, lr=lr, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def loss_of(model, batch, dtype, past=None):
    ids, mask, pos = batch
    h = model.hidden(ids[:, :-1], pos[:, :-1], dtype, past)
    m = mask[:, 1:]
    return F.cross_entropy(model.logits(h[m]), ids[:, 1:][m])


class LongPrefix:
    """A long text in front of the conversations of a batch.

    Its keys and values are computed once, without gradients, and used for some steps: that teaches the model to ignore very long system prompts at little cost.
    """

    def __init__(self, vocab, seed, limit, every):
        self.vocab, self.s, self.limit, self.every, self.age = (
            vocab,
            C.Source(seed),
            limit,
            every,
            0,
        )
        self.head, self.end = vocab.encode("<|im_start|>system\n"), vocab.encode("<|im_end|>\n")

    def __call__(self, model, batch, dtype):
        ids, mask, pos = batch
        if self.age % self.every == 0:
            n = int(math.exp(self.s.r.uniform(math.log(500), math.log(self.limit))))
            ids_long = self.head + self.vocab.encode(C.filler(self.s, 4 * n))[:n] + self.end
            keep, x = [], torch.tensor([ids_long], device=ids.device)
            with torch.no_grad():
                model.hidden(
                    x, torch.arange(len(ids_long), device=ids.device)[None], dtype, keep=keep
                )
            self.past, self.n = keep, len(ids_long)
        self.age += 1
        return loss_of(model, (ids, mask, pos + self.n), dtype, self.past)


@contextlib.contextmanager
def lock(path):
    if not path:
        yield
        return
    with Path(path).open("a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--steps", type=int, default=3000)
    ap.add_argument(
        "--minutes",
        type=float,
        help="end after this time even if the steps are not done (shared machines)",
    )
    ap.add_argument("--out", default="run")
    ap.add_argument("--vocab", default=str(HERE / "vocab.json"))
    ap.add_argument("--resume")
    ap.add_argument("--device", default="cpu")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--tokens", type=int, default=4096, help="tokens per step")
    ap.add_argument("--lr", type=float, default=4e-3)
    ap.add_argument("--cooldown", type=float, default=0.35)
    ap.add_argument(
        "--drill",
        type=float,
        default=0.08,
        help="share of the steps, at the start, for copy drills only",
    )
    ap.add_argument("--drill-rest", type=float, default=0.04)
    ap.add_argument("--samples", type=int, default=60000, help="samples kept in memory")
    ap.add_argument("--grow", type=int, default=2500, help="new samples per chunk")
    ap.add_argument("--filler", type=float, default=0.04)
    ap.add_argument("--max-len", type=int, default=1024)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--long", type=float, default=0.0, help="share of the steps with a long prefix")
    ap.add_argument("--long-limit", type=int, default=24000)
    ap.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that make samples (0: in turn with the training)",
    )
    ap.add_argument("--compile", action="store_true", help="torch.compile the blocks (GPU)")
    ap.add_argument("--dim", type=int, default=192)
    ap.add_argument("--layers", type=int, default=6)
    ap.add_argument("--ff", type=int, default=512)
    ap.add_argument("--heads", type=int, default=4)
    ap.add_argument("--head-dim", type=int, default=48)
    ap.add_argument("--cpu-lock", help="a file to lock during each chunk of work (shared machines)")
    ap.add_argument("--chunk", type=float, default=90, help="seconds of work between checkpoints")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    Path(a.out).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(a.seed + 1)
    vocab = Vocabulary(a.vocab)
    cfg = Config(
        vocab=len(vocab), dim=a.dim, layers=a.layers, ff=a.ff, heads=a.heads, head_dim=a.head_dim
    )
    total_steps = total_tokens = 0
    clock = 0.0
    state = None
    if a.resume:
        state = torch.load(a.resume, weights_only=False, map_location=a.device)
        cfg = Config(**state["config"])
        total_steps, total_tokens = state["steps"], state["tokens"]
    model = Model(cfg).to(a.device)
    if state:
        model.load_state_dict(state["model"])
    opts = optimizers(model, a.lr)
    if a.compile:
        for block in model.blocks:
            block.compile(dynamic=True)
    if state:
        for o, sd in zip(opts, state["opts"], strict=True):
            o.load_state_dict(sd)
    dtype = torch.bfloat16
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, torch {torch.__version__}, {a.device}",
        flush=True,
    )
    workers = ProcessPoolExecutor(a.workers) if a.workers else None
    seed = 100000 * a.seed + total_steps
    pool = Pool(a.vocab, seed, a.samples, workers, max_len=a.max_len, filler=a.filler)
    drills = Pool(a.vocab, seed + 50000, a.samples // 4, workers, kind="drill", max_len=160)
    with lock(a.cpu_lock):
        pool.grow(a.grow, 30)
        drills.grow(a.grow, 15)
        val = make_samples(a.vocab, 99, 200, max_len=400)
    main_batches = batches(pool, a.tokens, rng, 2048 * a.tokens // 4096)
    drill_batches = batches(drills, a.tokens, rng, 2048 * a.tokens // 4096)
    long_prefix = LongPrefix(vocab, seed + 77, a.long_limit, 6)
    breaks = [i for i, t in enumerate(vocab.tokens) if t == "<|im_start|>" or set(t) == {"\u010a"}]
    by_length = sorted(val, key=lambda x: len(x[0]))
    val_batches = [
        collate(by_length[i : i + 20], np.random.default_rng(0), gap=0)
        for i in range(0, len(val), 20)
    ]

    def to_device(b):
        return [x.to(a.device, non_blocking=True) for x in b]

    def save(name):
        torch.save(
            {
                "config": cfg.dict(),
                "model": model.state_dict(),
                "opts": [o.state_dict() for o in opts],
                "steps": total_steps,
                "tokens": total_tokens,
            },
            Path(a.out) / name,
        )

    held, warm, chunks, now, begin = (
        False,
        (0 if state else min(100, 0.05 * a.steps)),
        0,
        0,
        time.time(),
    )

    def progress():
        return min(
            1.0, max(now / a.steps, (time.time() - begin) / 60 / a.minutes if a.minutes else 0)
        )

    while progress() < 1:
        with lock(a.cpu_lock):
            start, losses, far_losses, steps, toks = time.time(), [], [], 0, 0
            if chunks:
                pool.grow(a.grow, a.chunk / 10)
                if now < 0.3 * a.steps:
                    drills.grow(a.grow, a.chunk / 20)
            model.train()
            while time.time() - start < a.chunk and progress() < 1:
                done = progress()
                scale = min(1.0, (now + 1) / warm if warm else 1.0, (1 - done) / a.cooldown)
                if done > 1 - a.cooldown and not held:
                    save("hold.pt")
                    held = True
                p_drill = (
                    a.drill_rest
                    if state
                    else 1.0
                    if done < a.drill
                    else 0.3
                    if done < 2.5 * a.drill
                    else a.drill_rest
                )
                far = rng.random() < a.long
                raw = next(drill_batches if rng.random() < p_drill else main_batches)
                if far:
                    raw = raw[: max(1, a.tokens // 4 // len(raw[-1][0]))]
                batch = to_device(collate(raw, rng, breaks=breaks))
                for o in opts:
                    for g in o.param_groups:
                        g["lr"] = a.lr * max(scale, 0.01)
                loss = long_prefix(model, batch, dtype) if far else loss_of(model, batch, dtype)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                for o in opts:
                    o.step()
                    o.zero_grad(set_to_none=True)
                (far_losses if far else losses).append(loss.detach())
                steps += 1
                now += 1
                toks += batch[0].numel()
            spent = time.time() - start
            clock += spent
            total_steps += steps
            total_tokens += toks
            if chunks % 3 == 0 or progress() >= 1:
                model.eval()
                with torch.no_grad():
                    v = float(
                        np.mean([loss_of(model, to_device(b), dtype).item() for b in val_batches])
                    )
            chunks += 1
            save("last.pt")
        line = {
            "min": round(clock / 60, 2),
            "steps": total_steps,
            "mtok": round(total_tokens / 1e6, 2),
            "tok_s": round(toks / spent),
            "loss": round(float(torch.stack(losses[-50:]).mean()), 4),
            "val": round(v, 4),
            "lr": round(a.lr * scale, 5),
        }
        if far_losses:
            line["long_loss"] = round(float(torch.stack(far_losses).mean()), 4)
        print(json.dumps(line), flush=True)
        with (Path(a.out) / "log.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")
        if a.cpu_lock:
            time.sleep(1)
    save("final.pt")


if __name__ == "__main__":
    main()
