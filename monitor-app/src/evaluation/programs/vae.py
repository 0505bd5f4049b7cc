"""A variational autoencoder of digits: reconstruction and Kullback-Leibler term are logged one by one."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from logs import FULL, JSON, USUAL
from plan import UNSTABLE, Run, must
from training import ADAM, fit, forward, mlp, shuffler, split

STEPS, LATENT = 1000, 8


def passes(params, batch, clipped=True):
    encoder = {k[1:]: v for k, v in params.items() if k[0] == "e"}
    decoder = {k[1:]: v for k, v in params.items() if k[0] == "d"}
    code, _ = forward(encoder, batch["x"])
    mean, log_var = code[:, :LATENT], code[:, LATENT:]
    z = mean + jnp.exp(0.5 * log_var) * batch["noise"]
    out, _ = forward(decoder, z)
    if clipped:
        chance = jnp.clip(jax.nn.sigmoid(out), 1e-6, 1 - 1e-6)
    else:  # a "faster" loss: in fp16 the sigmoid is 0 or 1 soon
        chance = jax.nn.sigmoid(out.astype(jnp.float16)).astype(jnp.float32)
    target = batch["x"]
    recon = -(target * jnp.log(chance) + (1 - target) * jnp.log(1 - chance)).sum(-1).mean()
    kl = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var).sum(-1).mean()
    return recon, kl


def loss(params, batch):
    recon, kl = passes(params, batch)
    return recon + kl, {"losses": {"recon_loss": recon, "kl_loss": kl}}


def unclipped(params, batch):
    recon, kl = passes(params, batch, clipped=False)
    return recon + kl, {"losses": {"recon_loss": recon, "kl_loss": kl}}


def kl_rewarded(params, batch):
    """The sign of one term is wrong: the sum falls without end."""
    recon, kl = passes(params, batch)
    return recon - kl, {"losses": {"recon_loss": recon, "kl_loss": kl}}


def train(log, seed, objective=loss, lr=1e-3):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, y, vx, _ = split(rng, (x / 16).astype(np.float32), y.astype(np.int32))
    params = {f"e{k}": v for k, v in mlp(rng, 64, 64, 2 * LATENT, gain=1.0).items()}
    params |= {f"d{k}": v for k, v in mlp(rng, LATENT, 64, 64, gain=1.0).items()}
    draw, per_epoch = shuffler(rng, x, y, 64), len(x) // 64

    def batches(step):
        batch = draw(step)
        return batch | {"noise": rng.normal(size=(64, LATENT)).astype(np.float32)}

    fixed = {"x": vx, "noise": np.random.default_rng(0).normal(size=(len(vx), LATENT)).astype(np.float32)}
    judged = jax.jit(objective)
    log.start(project="vae", model_name="vae", loss_function="elbo", max_steps=STEPS)
    fit(log, objective, params, batches, lr=lr, steps=STEPS, steps_per_epoch=per_epoch,
        evaluate=lambda p: {"loss": float(judged(p, fixed)[0])}, evaluate_every=per_epoch)
    log.finish()


RUNS = [
    Run("healthy", train, USUAL, seeds=2),
    Run("healthy", train, JSON, seeds=2),
    Run("log-of-zero", lambda log, seed: train(log, seed, unclipped, lr=0.05), USUAL,
        [must("non_finite_loss non_finite_gradient", 1, STEPS)], UNSTABLE),
    Run("kl-sign", lambda log, seed: train(log, seed, kl_rewarded), USUAL,
        [must("loss_divergence exploding_gradient loss_spike non_finite_loss train_val_divergence", 1, STEPS)],
        UNSTABLE),
]
