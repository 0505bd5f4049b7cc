"""The Trainer of transformers; the language model is built from a configuration, nothing is downloaded."""

import tempfile

import problems
import torch
from networks import Network, loss_of, rate
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from trainwatch.huggingface import TrainwatchCallback

torch.set_num_threads(1)


class Regression(torch.nn.Module):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.network = Network(fault)

    def forward(self, x, labels):
        output = self.network(x)
        return {"loss": loss_of(self.fault, output, labels), "output": output}


class NanTrainer(Trainer):
    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == problems.NAN_STEP - 1 else loss


def rows(samples):
    return [{"x": x, "labels": y} for x, y in zip(*samples)]


for fault in problems.FAULTS:
    arguments = TrainingArguments(
        tempfile.mkdtemp(),
        max_steps=problems.STEPS[fault],
        per_device_train_batch_size=problems.BATCH[fault],
        learning_rate=rate(fault),
        lr_scheduler_type="constant",
        eval_strategy="steps" if fault == "overfit" else "no",
        eval_steps=problems.EVERY,
        save_strategy="no",
        logging_steps=1 if problems.BY_MLFLOW else 500,
        run_name=problems.name("huggingface", fault),
        report_to=["mlflow"] if problems.BY_MLFLOW else [],
        use_cpu=True,
        disable_tqdm=True,
    )
    callbacks = [] if problems.BY_MLFLOW else [TrainwatchCallback(run_id=problems.name("huggingface", fault))]
    if fault == "nan":
        torch.manual_seed(0)
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=1)
        )
        texts = torch.arange(16).repeat(256, 1) % 7
        data = [{"input_ids": text, "labels": text} for text in texts]
        trainer = NanTrainer(model, arguments, train_dataset=data, callbacks=callbacks)
    else:
        trainer = Trainer(
            Regression(fault),
            arguments,
            train_dataset=rows(problems.samples(fault)),
            eval_dataset=rows(problems.validation(fault)),
            callbacks=callbacks,
        )
    trainer.train()
