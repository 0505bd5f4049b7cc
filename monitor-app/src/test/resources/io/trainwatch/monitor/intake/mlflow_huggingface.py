"""Hugging Face's Trainer with its own MLflow logger; the gradients of step 12 are NaN. Argument: where to write."""
import os
import sys

os.chdir(sys.argv[1])
import torch
from transformers import Trainer, TrainingArguments

torch.manual_seed(0)
torch.set_num_threads(1)
NAN_STEP = 12


class Regression(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x, labels):
        output = self.layer(x)
        return {"loss": ((output - labels) ** 2).mean(), "output": output}


class Faulty(Trainer):
    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == NAN_STEP - 1 else loss


x = torch.randn(256, 4)
rows = [{"x": a, "labels": a.sum().reshape(1)} for a in x]
Faulty(
    Regression(),
    TrainingArguments(
        "out",
        run_name="huggingface",
        max_steps=20,
        per_device_train_batch_size=8,
        learning_rate=1e-2,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=10,
        save_strategy="no",
        report_to=["mlflow"],
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=rows,
    eval_dataset=rows[:32],
).train()
