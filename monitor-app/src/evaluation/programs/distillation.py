"""A small student learns from a larger teacher that was trained before it."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from logs import USUAL, USUAL_10
from plan import STUCK, Run, must
from training import ADAM, cosine, cross_entropy, fit, forward, mlp, shuffler, split, update

STEPS = 900


def hard(params, batch):
    logits, _ = forward(params, batch["x"])
    return cross_entropy(logits, batch["y"]), {"classes": logits.argmax(-1)}


def distilled(params, batch):
    logits, _ = forward(params, batch["x"])
    soft = -(jax.nn.softmax(batch["teacher"] / 3) * jax.nn.log_softmax(logits / 3)).sum(-1).mean() * 9
    task = cross_entropy(logits, batch["y"])
    return 0.7 * soft + 0.3 * task, {"losses": {"soft_loss": soft, "task_loss": task}, "classes": logits.argmax(-1)}


def train(log, seed, teacher_trained=True, lr=cosine(3e-3, STEPS, 30)):
    rng = np.random.default_rng(seed)
    x, y = load_digits(return_X_y=True)
    x, y, vx, vy = split(rng, ((x - 4.9) / 6).astype(np.float32), y.astype(np.int32))
    teacher = mlp(rng, 64, 128, 128, 10)
    draw, state = shuffler(rng, x, y, 64), ADAM.init(teacher)
    for step in range(1, 400 if teacher_trained else 1):
        teacher, state, *_ = update(hard, ADAM, teacher, state, draw(step), 1e-3)
    answers = jax.jit(lambda x: forward(teacher, x)[0])
    log.start(project="student", task="classification", num_classes=10, max_steps=STEPS)

    def batches(step):
        batch = draw(step)
        return batch | {"teacher": np.asarray(answers(batch["x"]))}

    def evaluate(p):
        value, seen = hard(p, {"x": vx, "y": vy})
        return {"loss": float(value), "accuracy": float((seen["classes"] == vy).mean())}

    fit(log, distilled, mlp(rng, 64, 24, 10), batches, lr=lr, steps=STEPS, evaluate=evaluate, evaluate_every=50)
    log.finish()


RUNS = [Run("healthy", train, USUAL, seeds=2), Run("healthy", train, USUAL_10, seeds=2)]
