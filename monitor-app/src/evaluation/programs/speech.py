"""Sequences in PyTorch: CTC over frames, which first learns to say nothing, a copying task that is understood all at once,
and keyword spotting with warm restarts."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from logs import EPOCHS, LOSS, USUAL, Way
from plan import STUCK, UNSTABLE, Run, must
from tools import CLOCK, SDK, fit, seeded, warm_cosine

STEPS = 1000
LIGHTNING = Way("lightning", "sparse_csv", "loss lr evaluation", every=10)


class Recogniser(nn.Module):
    def __init__(self, kind, outputs, width=24, layers=1):
        super().__init__()
        self.rnn = kind(12, width, layers, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


class Utterances:
    """Phones of three frames each, 12 coefficients, with a speaker's offset and noise."""

    def __init__(self, rng, phones=8):
        self.rng, self.sounds = rng, np.random.default_rng(5).normal(size=(phones, 12))

    def draw(self, count, length=4):
        said = self.rng.integers(0, len(self.sounds), (count, length))
        frames = self.sounds[said].repeat(3, 1) + self.rng.normal(0, 0.4, (count, 1, 12))
        frames += self.rng.normal(0, 0.7, frames.shape)
        return torch.tensor(frames, dtype=torch.float32), torch.from_numpy(said)


def ctc(model, batch):
    scores = model(batch["x"]).log_softmax(-1).transpose(0, 1)
    n = len(batch["y"])
    return F.ctc_loss(scores, batch["y"] + 1, torch.full((n,), scores.shape[0]), torch.full((n,), batch["y"].shape[1]))


def recognise(log, seed, lr=4e-3, steps=STEPS, garbled=None, trained=True):
    rng = seeded(seed)
    data, model = Utterances(rng), Recogniser(nn.GRU, 9)
    held_out = dict(zip("xy", Utterances(np.random.default_rng(0)).draw(64)))
    optimizer = torch.optim.Adam(model.parameters() if trained else Recogniser(nn.GRU, 9).parameters(), lr)

    def batches(step):
        x, y = data.draw(16)
        if garbled is not None and step > garbled:  # the transcripts of another corpus
            y = y[torch.from_numpy(rng.permutation(len(y)))]
        return {"x": x, "y": y}

    log.start(project="speech", task="speech_recognition", loss_function="ctc", max_steps=steps, optimizer="adam",
              max_grad_norm=5.0, global_batch_size=16)
    fit(log, model, optimizer, ctc, batches, steps=steps, clip=5.0, evaluate_every=100, steps_per_epoch=100,
        schedule=warm_cosine(lr, steps, 50), evaluate=lambda: {"loss": ctc(model, held_out).item()})
    log.finish()


class Attention(nn.Module):
    """Two layers of attention without anything else, as in studies of induction heads."""

    def __init__(self, vocabulary, width=32, length=24):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Parameter(torch.randn(length, width) * 0.1)
        self.layers = nn.ModuleList(nn.MultiheadAttention(width, 2, batch_first=True) for _ in range(2))
        self.head, self.mask = nn.Linear(width, vocabulary), torch.ones(length, length).triu(1).bool()

    def forward(self, x):
        h = self.tokens(x) + self.places[: x.shape[1]]
        for layer in self.layers:
            h = h + layer(h, h, h, attn_mask=self.mask[: x.shape[1], : x.shape[1]], need_weights=False)[0]
        return self.head(h)


def copying(log, seed, lr=1e-3, steps=1200, half=8, vocabulary=24):
    """Eight tokens and the same again: the loss of the second half stays at chance until the model sees how."""
    rng = seeded(seed)
    model = Attention(vocabulary, length=2 * half)

    def batches(step):
        first = torch.from_numpy(rng.integers(0, vocabulary, (16, half)))
        both = torch.cat([first, first], 1)
        return {"x": both[:, :-1], "y": both[:, 1:]}

    def loss(model, batch):
        logits = model(batch["x"])[:, half - 1:]
        return F.cross_entropy(logits.flatten(0, 1), batch["y"][:, half - 1:].flatten())

    log.start(project="induction", task="language_modeling", vocab_size=vocabulary, loss_function="cross_entropy",
              max_steps=steps, optimizer="adam")
    fit(log, model, torch.optim.Adam(model.parameters(), lr), loss, batches, steps=steps)
    log.finish()


class LastFrame(nn.Module):
    def __init__(self, kind=nn.GRU, classes=8, **more):
        super().__init__()
        self.rnn = kind(12, 24, batch_first=True, **more)
        self.head = nn.Linear(24, classes)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class DeepSigmoid(nn.Sequential):
    def __init__(self, depth=8):
        layers = [nn.Flatten(), nn.Linear(144, 32), nn.Sigmoid()]
        for _ in range(depth):
            layers += [nn.Linear(32, 32), nn.Sigmoid()]
        super().__init__(*layers, nn.Linear(32, 8))


def keyword(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"])


def spot(log, seed, network=LastFrame, optimizer=torch.optim.Adam, lr=3e-3, restarts=None, clip=None, steps=STEPS, gain=None,
         deaf=None):
    """Which phone was said last?"""
    rng = seeded(seed)
    model = network()
    if gain is not None:  # recurrent weights far too large
        with torch.no_grad():
            model.rnn.weight_hh_l0.mul_(gain)
    data = Utterances(rng)
    vx, vy = Utterances(np.random.default_rng(0)).draw(256)
    vy = vy[:, -1]

    def batches(step):
        x, y = data.draw(16)
        if deaf is not None and step in deaf:  # the plug is out: hum and no voice
            x = torch.tensor(rng.normal(0, 4, x.shape), dtype=torch.float32)
        return {"x": x, "y": y[:, -1]}

    def evaluate():
        logits = model(vx)
        return {"loss": F.cross_entropy(logits, vy).item(), "accuracy": (logits.argmax(-1) == vy).float().mean().item()}

    def restarted(step):
        """Cosine annealing with warm restarts, as CosineAnnealingWarmRestarts."""
        return lr * 0.5 * (1 + np.cos(np.pi * ((step - 1) % restarts) / restarts))

    log.start(project="keywords", task="classification", num_classes=8, loss_function="cross_entropy", max_steps=steps,
              eval_num_samples=256, **({"lr_schedule": "warm_restarts"} if restarts else {}))
    fit(log, model, optimizer(model.parameters(), lr), keyword, batches, steps=steps, clip=clip, evaluate=evaluate,
        evaluate_every=75, steps_per_epoch=75, schedule=restarted if restarts else None)
    log.finish()


RUNS = [
    Run("healthy-ctc", recognise, USUAL, seeds=2),
    Run("healthy-ctc", recognise, LIGHTNING, seeds=1),
    Run("healthy-copying", copying, LOSS, seeds=2),
    Run("healthy-warm-restarts", lambda log, seed: spot(log, seed, lr=1e-2, restarts=250), USUAL, seeds=2),
    Run("healthy-warm-restarts", lambda log, seed: spot(log, seed, lr=1e-2, restarts=250), LOSS, seeds=1),
    Run("healthy-keywords", spot, EPOCHS, seeds=1),
    Run("healthy-keywords", lambda log, seed: spot(log, seed, clip=1.0, steps=800), SDK, allow=CLOCK),
    Run("optimizer-of-another-model", lambda log, seed: recognise(log, seed, trained=False), USUAL,
        [must("not_learning loss_plateau unchanged_weights", 1, STEPS)], STUCK),
    Run("transcripts-swapped", lambda log, seed: recognise(log, seed, garbled=700), USUAL,
        [must("loss_spike loss_divergence", 701, 800)], UNSTABLE),
    Run("deep-sigmoid", lambda log, seed: spot(log, seed, DeepSigmoid, optimizer=torch.optim.SGD, lr=0.05), SDK,
        [must("vanishing_gradient not_learning", 1, STEPS, "vanishing_gradient")], STUCK + CLOCK + ["saturated_units"]),
    Run("exploding-rnn", lambda log, seed: spot(log, seed, lambda: LastFrame(nn.RNN, nonlinearity="relu"), gain=4.0,
                                                optimizer=torch.optim.SGD, lr=0.1), USUAL,
        [must("exploding_gradient non_finite_loss non_finite_gradient loss_divergence", 1, 200)], UNSTABLE),
    Run("unplugged-microphone", lambda log, seed: spot(log, seed, deaf=range(700, 703)), USUAL,
        [must("loss_spike exploding_gradient", 700, 705)], UNSTABLE),
]
