"""The lines that the READMEs say attach a framework, pasted as they stand there, in a small training of each framework."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy
import pytest
from conftest import wait_until

import trainwatch

os.environ["KERAS_BACKEND"] = "jax"
if find_spec("torch"):
    import networks  # noqa: F401 mends the PyTorch of Debian before others look at it

PACKAGE = Path(__file__).resolve().parents[2]
NAMES = {
    "PyTorch": "torch",
    "Hugging Face": "transformers",
    "Accelerate": "accelerate",
    "Lightning": "lightning",
    "Keras": "keras",
    "scikit-learn": "sklearn",
    "any loop": "trainwatch",
}


def table():
    """Returns the lines of the first screen of the project's README, by framework."""
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", (PACKAGE.parents[1] / "README.md").read_text("utf-8"), re.MULTILINE)
    return {name: "\n".join(re.findall(r"`([^`]*[(=][^`]*)`", text)) for name, text in rows if name in NAMES}


def blocks():
    """Returns the blocks of the package's README, by framework."""
    text = (PACKAGE / "README.md").read_text("utf-8").replace("## Any loop", "any loop:")
    return dict(re.findall(r"^([A-Za-z -]+):[^\n]*\n\n```python\n(.*?)```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("document", [table, blocks])
@pytest.mark.parametrize("framework", NAMES)
def test_the_line_of_the_document_attaches(document, framework, monkeypatch, tmp_path):
    pytest.importorskip(NAMES[framework])
    monkeypatch.chdir(tmp_path)
    location = "memory:%s-%s" % (document.__name__, framework)
    monkeypatch.setenv("TRAINWATCH_LOCATION", location)
    line = document()[framework]

    TRAININGS[framework](line)

    def told():
        return [event["event_type"] for event in trainwatch.memory(location[len("memory:") :])]

    wait_until(lambda: "step_completed" in told())
    assert told()[0] == "run_started"
    trainwatch.forget_memory(location[len("memory:") :])


def pasted(line, **names):
    """Runs a line below ``import trainwatch``; its three dots are the arguments that the reader has already."""
    scope = {"trainwatch": trainwatch, **names}
    exec(line.replace("(..., ", "(**given, "), scope)
    return scope


def pytorch(line):
    import torch

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = pasted(line, model=model, optimizer=optimizer)["watch"]
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).pow(2).mean().backward()
        optimizer.step()
    watch.close()


def huggingface(line):
    import torch
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, x, labels):
            output = self.layer(x)
            return {"loss": (output - labels).pow(2).mean(), "output": output}

    args = TrainingArguments("out", max_steps=3, report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True)
    model, data = Model(), [{"x": torch.ones(2), "labels": torch.ones(1)}] * 8
    line = line if line.startswith("trainer = ") else "trainer = " + line
    given = {"model": model, "args": args, "train_dataset": data}
    pasted(line, Trainer=Trainer, given=given, **given, data=data)["trainer"].train()


def accelerate(line):
    from accelerate import Accelerator

    line = line if line.startswith("accelerator = ") else "accelerator = " + line
    accelerator = pasted(line, Accelerator=Accelerator)["accelerator"]
    accelerator.init_trackers("readme")
    accelerator.log({"loss": 0.5}, step=1)
    accelerator.end_training()


def lightning(line):
    import lightning
    import torch
    from lightning import Trainer

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch, index):
            return self.layer(batch).pow(2).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    quiet = {"max_steps": 3, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    data = torch.utils.data.DataLoader(torch.ones(16, 2), batch_size=4)
    settings = pasted(line, Trainer=lambda **more: more)["trainer"] if line else {}
    Trainer(accelerator="cpu", **quiet, **settings).fit(Module(), data)


def keras(line):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = numpy.ones((8, 2)), numpy.ones((8, 1))
    pasted(line, model=model, x=x, y=y, given={"x": x, "y": y, "verbose": 0})


def sklearn(line):
    from sklearn.linear_model import SGDClassifier

    x, y = numpy.arange(16.0).reshape(8, 2), numpy.array([0, 1] * 4)
    model = SGDClassifier(loss="log_loss").partial_fit(x, y, classes=[0, 1])
    watched = pasted(line, SGDClassifier=SGDClassifier, model=model, x=x, y=y, x_val=x, y_val=y)["model"]
    watched.partial_fit(x, y)  # the loss of a batch is told before it is learned: the first has none
    watched.close()


def any_loop(line):
    with pasted(line, step=1, loss=0.5)["run"]:
        pass


TRAININGS = dict(zip(NAMES, (pytorch, huggingface, accelerate, lightning, keras, sklearn, any_loop)))
