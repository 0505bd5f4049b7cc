"""A generative adversarial network for 8x8 digits in PyTorch: the usual losses, and Wasserstein's with a gradient penalty."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from logs import Log, Way
from plan import Run, must
from tools import seeded

STEPS = 1200
LOSSES = Way("losses", "events", "loss lr evaluation")
FIELDS = ("loss_spike loss_divergence loss_plateau not_learning exploding_gradient vanishing_gradient prediction_collapse "
          "metric_drift non_finite_loss non_finite_gradient").split()


class Table(Way):
    """step,d_loss,g_loss every ten steps."""

    def __init__(self):
        super().__init__("table", "csv", "loss", every=10)

    def open(self, path, run_id):
        class Rows(Log):
            def start(self, **facts):
                self.file.write("step,d_loss,g_loss\n")

            def point(self, step, loss, epoch, fields):
                self.file.write(f"{step},{fields['losses']['d_loss']:.5f},{fields['losses']['g_loss']:.5f}\n")
        return Rows(self, path, run_id)


TABLE = Table()


def mlp(*sizes, last=None):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1], *([last] if last else []))


def distance(a, b):
    """Frechet distance between two Gaussians, of the diagonal of their covariances."""
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + ((a.std(0) - b.std(0)) ** 2).sum())


def train(log, seed, d_lr=4e-4, g_lr=4e-4, smooth=0.9, wasserstein=False, naive=False, steps=STEPS):
    rng = seeded(seed)
    images = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)
    g, d = mlp(16, 96, 96, 64, last=nn.Tanh()), mlp(64, 96, 96, 1)
    betas = (0.0, 0.9) if wasserstein else (0.5, 0.999)
    g_opt, d_opt = torch.optim.Adam(g.parameters(), g_lr, betas), torch.optim.Adam(d.parameters(), d_lr, betas)
    log.start(project="digits-gan", task="gan", max_steps=steps, metrics=[{"name": "distance", "mode": "min", "primary": True}])
    for step in range(1, steps + 1):
        for _ in range(2 if wasserstein else 1):
            real, fake = images[rng.integers(0, len(images), 64)], g(torch.randn(64, 16)).detach()
            yes, no = d(real), d(fake)
            if wasserstein:
                share = torch.rand(64, 1)
                between = (share * real + (1 - share) * fake).requires_grad_()
                slope, = torch.autograd.grad(d(between).sum(), between, create_graph=True)
                d_loss = no.mean() - yes.mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
            elif naive:  # log(sigmoid) in two steps: log(0) where it is sure
                d_loss = -torch.log(torch.sigmoid(yes)).mean() - torch.log(1 - torch.sigmoid(no)).mean()
            else:
                d_loss = F.binary_cross_entropy_with_logits(yes, torch.full_like(yes, smooth)) \
                    + F.binary_cross_entropy_with_logits(no, torch.zeros_like(no))
            d_opt.zero_grad(); d_loss.backward(); d_opt.step()
        out = d(g(torch.randn(64, 16)))
        g_loss = -out.mean() if wasserstein else F.binary_cross_entropy_with_logits(out, torch.ones_like(out))
        g_opt.zero_grad(); g_loss.backward(); g_opt.step()
        losses = {"d_loss": d_loss.item(), "g_loss": g_loss.item()}
        log.step(step, sum(losses.values()), learning_rate=g_lr, losses=losses)
        if step % 100 == 0:
            with torch.no_grad():
                log.evaluation(step, {"distance": distance(g(torch.randn(1000, 16)), images)})
    log.finish()


RUNS = [
    Run("healthy", train, LOSSES, seeds=2),
    Run("healthy", train, TABLE, seeds=1),
    Run("healthy-wasserstein", lambda log, seed: train(log, seed, wasserstein=True, steps=600), LOSSES, seeds=2),
    Run("discriminator-wins", lambda log, seed: train(log, seed, d_lr=2e-3, g_lr=1e-6, smooth=1.0), LOSSES,
        [must("prediction_collapse not_learning loss_divergence loss_plateau vanishing_gradient", 1, STEPS)], FIELDS),
    Run("discriminator-wins", lambda log, seed: train(log, seed, d_lr=2e-3, g_lr=1e-6, smooth=1.0), TABLE,
        [must("prediction_collapse not_learning loss_divergence loss_plateau vanishing_gradient", 1, STEPS)], FIELDS),
    Run("log-of-zero", lambda log, seed: train(log, seed, d_lr=5e-2, naive=True), LOSSES,
        [must("non_finite_loss", 1, STEPS)], FIELDS),
]
