"""A character GPT trained as nanoGPT does it, on the source code of Python's own library, and its console log."""

import argparse
import difflib
import gzip
import inspect
import math
import pathlib
import pickle
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from logs import LOSS, Log, Way
from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, SDK, fit, seeded, warm_cosine

STEPS, LENGTH, WIDTH = 800, 24, 48
TEXT = "".join(pathlib.Path(inspect.getfile(m)).read_text() for m in (argparse, difflib, pickle, inspect))
LETTERS = sorted(set(TEXT))
IDS = np.array([LETTERS.index(c) for c in TEXT])
CUT = int(0.9 * len(IDS))


class NanoGpt(Log):
    """What train.py of nanoGPT prints with log_interval = 10; its times are CPU times here."""

    def start(self, **facts):
        self.file.write(f"tokens per iteration will be: {12 * LENGTH}\nfound vocab_size = {len(LETTERS)}\n"
                        "Initializing a new model from scratch\nnumber of parameters: 0.06M\n"
                        "num decayed parameter tensors: 10, with 61,000 parameters\n")
        self.clock = time.process_time()

    def point(self, step, loss, epoch, fields):
        now = time.process_time()
        mfu = "-100.00%" if step <= 50 else "0.03%"
        self.file.write(f"iter {step}: loss {loss:.4f}, time {(now - self.clock) * 100:.2f}ms, mfu {mfu}\n")
        self.clock = now

    def evaluation(self, step, metrics, epoch=None, **fields):
        self.file.write(f"step {step}: train loss {metrics['train']:.4f}, val loss {metrics['loss']:.4f}\n"
                        "saving checkpoint to out-code-char\n")


class Console(Way):
    def __init__(self):
        super().__init__("nanogpt", "text", "loss evaluation", every=10)

    def open(self, path, run_id):
        return NanoGpt(self, path, run_id)


NANOGPT = Console()
WANDB = Way("wandb", "jsonl", "loss lr grad_norm evaluation")


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(dropout))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (a.view(b, t, 4, -1).transpose(1, 2) for a in self.attn(self.ln1(x)).chunk(3, -1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(torch.ones(t, t).tril() == 0, float("-inf"))
        x = x + self.dropout(self.proj((self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).reshape(b, t, -1)))
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(len(LETTERS), WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks, self.ln = nn.Sequential(Block(dropout), Block(dropout)), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(LETTERS), bias=False)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0.0, 0.02)

    def forward(self, x):
        return self.head(self.ln(self.blocks(self.wte(x) + self.wpe.weight[: x.shape[1]])))


def loss(model, batch):
    logits = model(batch["x"])
    return F.cross_entropy(logits.flatten(0, 1), batch["y"].flatten())


def windows(rng, ids, size):
    def batch(step=None):
        at = rng.integers(0, len(ids) - LENGTH - 1, size)[:, None] + np.arange(LENGTH + 1)
        rows = torch.from_numpy(ids[at])
        return {"x": rows[:, :-1], "y": rows[:, 1:]}
    return batch


def train(log, seed, schedule=None, steps=STEPS, dropout=0.0, accumulate=1, size=12, ids=IDS[:CUT], clip=1.0, bad=()):
    rng = seeded(seed)
    model = Gpt(dropout)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.99))
    draw, judged = windows(rng, ids, size), np.random.default_rng(0)
    held_out = windows(judged, IDS[CUT:], 96)()
    seen = windows(judged, ids, 96)()
    squeezed = np.frombuffer(gzip.compress(TEXT.encode(), mtime=0), np.uint8).astype(np.int64) % len(LETTERS)
    shard = windows(rng, squeezed, size)
    log.start(project="nanogpt", task="language_modeling", vocab_size=len(LETTERS), loss_function="cross_entropy",
              max_steps=steps, optimizer="adamw", global_batch_size=size * accumulate)

    def evaluate():
        metrics = {"loss": loss(model, held_out).item()}
        return metrics | {"train": loss(model, seen).item()} if isinstance(log, NanoGpt) else metrics

    fit(log, model, optimizer, loss, lambda step: shard() if step in bad else draw(), steps=steps, clip=clip,
        schedule=schedule or warm_cosine(2e-3, steps, 50, 2e-4), accumulate=accumulate, evaluate_every=100,
        evaluate=evaluate)
    log.finish()


RUNS = [
    Run("healthy", train, NANOGPT, allow=CLOCK, seeds=2),
    Run("healthy-dropout", lambda log, seed: train(log, seed, dropout=0.2), NANOGPT, allow=CLOCK, seeds=1),
    Run("healthy-accumulation", lambda log, seed: train(log, seed, steps=400, accumulate=4, size=3), WANDB, seeds=2),
    Run("healthy-constant-lr", lambda log, seed: train(log, seed, schedule=lambda step: 1e-3, steps=1000), LOSS, seeds=1),
    Run("healthy", lambda log, seed: train(log, seed, steps=500, dropout=0.1), SDK, allow=CLOCK),
    Run("lr-too-high", lambda log, seed: train(log, seed, schedule=warm_cosine(0.5, STEPS, 50, 0.05), clip=None), NANOGPT,
        [must("not_learning loss_plateau loss_divergence loss_spike learning_rate_too_high", 1, STEPS,
              "learning_rate_too_high")], UNSTABLE),
    # warmup_iters was meant in tokens
    Run("warm-up-never-ends", lambda log, seed: train(log, seed, schedule=lambda step: 1e-3 * step / (2000 * 288)), WANDB,
        [must("not_learning learning_rate_too_low loss_plateau", 1, STEPS, "learning_rate_too_low")], STUCK),
    Run("compressed-shard", lambda log, seed: train(log, seed, bad=range(501, 541)), NANOGPT,
        [must("loss_spike loss_divergence", 501, 560)], UNSTABLE),
    Run("memorises-two-pages", lambda log, seed: train(log, seed, ids=IDS[:3000], steps=1000), NANOGPT,
        [must("train_val_divergence", 100, 1000, "overfitting")], ["metric_drift", "loss_plateau"]),
]
