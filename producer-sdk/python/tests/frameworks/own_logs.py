"""A training that leaves the log of its own library, none of ours, and prints what it has logged.

    python own_logs.py LIBRARY DIRECTORY

Half way it waits until there is a file ``DIRECTORY/../seen``: what reads the log creates it. Prints one number a line:
``STEP loss VALUE`` of steps, ``STEP val VALUE`` of evaluations.
"""

from __future__ import annotations

import os
import sys
import time

LIBRARY, DIRECTORY = sys.argv[1:]
STEPS, EVERY, NAN_STEP = 60, 20, 50
SEEN = os.path.join(os.path.dirname(DIRECTORY), "seen")


def half_way():
    """Waits until somebody has read the first half."""
    limit = time.monotonic() + 120
    while not os.path.exists(SEEN):
        if time.monotonic() > limit:
            sys.exit("nobody has read the log within 2 min")
        time.sleep(0.05)


def tell(step, kind, value):
    print(step, kind, repr(float(value)), flush=True)


def pytorch():
    """The writer of TensorBoard that comes with PyTorch, in a loop."""
    import torch
    from networks import Network, loss_of
    from torch.utils.tensorboard import SummaryWriter

    model = Network("nan")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    x, y = (torch.from_numpy(part) for part in samples(64))
    writer = SummaryWriter(DIRECTORY, flush_secs=1)
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss = loss_of("nan", model(x), y) * (float("nan") if step == NAN_STEP else 1)
        loss.backward()
        optimizer.step()
        writer.add_scalar("train/loss", loss, step)
        writer.add_scalar("train/lr", 2e-2, step)
        tell(step, "loss", loss)
        if step % EVERY == 0:
            writer.add_scalar("val/loss", loss + 0.25, step)
            tell(step, "val", loss + 0.25)
        if step == STEPS // 2:
            half_way()
    writer.close()


def keras():
    """The callback for TensorBoard, with a folder for each split; its steps are epochs."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    import keras

    class Told(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == NAN_STEP:
                self.model.optimizer.learning_rate = float("nan")

        def on_epoch_end(self, epoch, logs=None):
            tell(epoch, "loss", logs["loss"])
            tell(epoch, "val", logs["val_loss"])
            if epoch == STEPS // 2:
                half_way()

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = samples(64)
    board = keras.callbacks.TensorBoard(DIRECTORY, write_graph=False)
    model.fit(x, y, epochs=STEPS, verbose=0, validation_data=samples(64), callbacks=[board, Told()])


def lightning():
    """The logger for CSV, whose header grows with the first evaluation."""
    import torch
    from networks import Network, loss_of

    import lightning  # isort: skip
    from lightning.pytorch.loggers import CSVLogger  # isort: skip

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = Network("nan")

        def training_step(self, batch, index):
            loss = loss_of("nan", self.network(batch[0]), batch[1])
            loss = loss * (float("nan") if self.global_step == NAN_STEP else 1)
            self.log("train_loss", loss)
            tell(self.global_step, "loss", loss)
            if self.global_step == STEPS // 2:
                half_way()
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", loss_of("nan", self.network(batch[0]), batch[1]))

        def on_validation_epoch_end(self):
            tell(self.global_step - 1, "val", self.trainer.callback_metrics["val_loss"])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=2e-2)

    def loader():
        data = torch.utils.data.TensorDataset(*(torch.from_numpy(part) for part in samples(64 * EVERY)))
        return torch.utils.data.DataLoader(data, batch_size=64)

    trainer = lightning.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        logger=CSVLogger(os.path.dirname(DIRECTORY), name=os.path.basename(DIRECTORY), flush_logs_every_n_steps=1),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader(), loader())


def huggingface():
    """The state of the Trainer, whole in the folder of each checkpoint, of which the oldest are deleted."""
    import torch
    from networks import Network, loss_of
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Regression(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = Network("nan")

        def forward(self, x, labels):
            output = self.network(x)
            return {"loss": loss_of("nan", output, labels), "output": output}

    class Told(TrainerCallback):
        def on_log(self, arguments, state, control, logs=None, **unused):
            for name, kind in (("loss", "loss"), ("eval_loss", "val")):
                if name in logs:
                    tell(state.global_step, kind, logs[name])

        def on_save(self, arguments, state, control, **unused):
            if state.global_step == EVERY * 2:
                half_way()

    class NanTrainer(Trainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            loss = super().compute_loss(model, inputs, *args, **kwargs)
            return loss * float("nan") if self.state.global_step == NAN_STEP else loss

    rows = [{"x": x, "labels": y} for x, y in zip(*samples(64 * STEPS))]
    arguments = TrainingArguments(
        DIRECTORY,
        max_steps=STEPS,
        per_device_train_batch_size=64,
        learning_rate=2e-2,
        eval_strategy="steps",
        eval_steps=EVERY,
        save_strategy="steps",
        save_steps=EVERY,
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    NanTrainer(Regression(), arguments, train_dataset=rows, eval_dataset=rows[:64], callbacks=[Told()]).train()


def samples(count):
    """Returns inputs and targets of a regression."""
    import problems

    return problems.samples("nan", count)


{"pytorch": pytorch, "keras": keras, "lightning": lightning, "huggingface": huggingface}[LIBRARY]()
