"""Fine-tuning with the Trainer of Hugging Face: a small GPT-2 that knows Python's source code is taught another text.

Low-rank adapters or all weights; the log is trainer_state.json as the Trainer saves it, or what the SDK's callback sees.
"""

import copy
import functools
import math
import pydoc_data.topics
import tempfile

import numpy as np
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from chargpt import IDS, LETTERS
from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, Tool

STEPS, LENGTH = 500, 24
STATE = Tool("trainer-state", "json")
CALLBACK = Tool("callback", "jsonl")
PROSE = "".join(pydoc_data.topics.topics.values())[:200_000]
PROSE_IDS = np.array([LETTERS.index(c) for c in PROSE if c in LETTERS])


class LowRank(nn.Module):
    """A frozen layer and a low-rank correction of it, rank 4."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(base.weight.shape[0], 4) / math.sqrt(base.weight.shape[0]))
        self.up = nn.Parameter(torch.zeros(4, base.weight.shape[1]))

    def forward(self, x):
        return self.base(x) + 4 * (x @ self.down @ self.up)


def rows(ids, count, rng):
    at = rng.integers(0, len(ids) - LENGTH, count)[:, None] + np.arange(LENGTH)
    return torch.from_numpy(ids[at])


@functools.lru_cache
def pretrained():
    """Weights after 600 steps on source code."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = GPT2LMHeadModel(config())
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(600):
        batch = rows(IDS, 16, rng)
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 600)
    return {name: value.clone() for name, value in model.state_dict().items()}


def config():
    return GPT2Config(vocab_size=len(LETTERS), n_positions=LENGTH, n_embd=48, n_layer=2, n_head=4, resid_pdrop=0.0,
                      embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)


class Texts(torch.utils.data.Dataset):
    def __init__(self, ids, labels=True):
        self.ids, self.labels = ids, labels

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return {"input_ids": self.ids[i], "labels": self.ids[i] if self.labels else torch.full_like(self.ids[i], -100)}


def train(path, seed, rank=True, used=True, lr=3e-3, size=4, ids=PROSE_IDS[:-20_000], count=2400, steps=STEPS, masked=False,
          scheduler="cosine", warmup=0.06, **more):
    weights = pretrained()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = GPT2LMHeadModel(config())
    model.load_state_dict(weights)
    if rank:
        for p in model.parameters():
            p.requires_grad = False
        for block in model.transformer.h:
            block.attn.c_attn = LowRank(block.attn.c_attn)
    optimizers = None, None
    if not used:  # the optimizer was made for the model before it was copied to where it is trained
        lost = torch.optim.AdamW([p for p in copy.deepcopy(model).parameters() if p.requires_grad], lr=lr)
        optimizers = lost, torch.optim.lr_scheduler.LambdaLR(lost, lambda step: max(0.0, 1 - step / steps))
    callbacks = []
    if path.suffix == ".jsonl":
        from trainwatch.huggingface import TrainwatchCallback
        path.unlink(missing_ok=True)
        callbacks.append(TrainwatchCallback(run_id=path.stem, location=f"file:{path}", project="finetune"))
    held_out = Texts(rows(PROSE_IDS[-20_000:], 64, np.random.default_rng(0)))
    with tempfile.TemporaryDirectory() as directory:
        arguments = TrainingArguments(
            directory, max_steps=steps, per_device_train_batch_size=size, per_device_eval_batch_size=64, learning_rate=lr,
            warmup_ratio=warmup, lr_scheduler_type=scheduler, logging_steps=10, evaluation_strategy="steps", eval_steps=50,
            save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, seed=seed, **more)
        trainer = Trainer(model, arguments, train_dataset=Texts(rows(ids, count, rng), not masked), eval_dataset=held_out,
                          callbacks=callbacks, optimizers=optimizers)
        trainer.train()
        if path.suffix == ".json":
            trainer.state.save_to_json(str(path))


def all_weights(path, seed, **more):
    train(path, seed, rank=False, **{"lr": 5e-4, "size": 8, "scheduler": "linear", **more})


RUNS = [
    Run("healthy-low-rank", train, STATE, seeds=3),
    Run("healthy-low-rank-accumulation", lambda path, seed: train(path, seed, size=2, gradient_accumulation_steps=4), STATE),
    Run("healthy-all-weights", all_weights, STATE),
    Run("healthy-low-rank", train, CALLBACK, allow=CLOCK),
    Run("optimizer-of-a-copy", lambda path, seed: train(path, seed, used=False), STATE,
        [must("not_learning loss_plateau unchanged_weights", 1, STEPS)], STUCK),
    Run("lr-too-high", lambda path, seed: all_weights(path, seed, lr=0.3, warmup=0.4), STATE,
        [must("loss_divergence not_learning exploding_gradient learning_rate_too_high loss_spike", 1, STEPS,
              "learning_rate_too_high")], UNSTABLE),
    # each token is masked, as where the answers' template is not found: a mean of nothing, which the Trainer logs as 0
    Run("all-labels-masked", lambda path, seed: all_weights(path, seed, masked=True, steps=200), STATE,
        [must("non_finite_loss non_finite_gradient not_learning loss_plateau vanishing_gradient unchanged_weights", 1, 200)],
        UNSTABLE + STUCK),
    Run("memorises-four-pages", lambda path, seed: all_weights(path, seed, lr=3e-3, ids=PROSE_IDS[:2500], count=60), STATE,
        [must("train_val_divergence", 50, STEPS, "overfitting")], ["loss_plateau"]),
]
