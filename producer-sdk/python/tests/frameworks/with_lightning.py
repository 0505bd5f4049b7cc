"""The Trainer of Lightning, which finds the callback by itself."""

import logging
import os
import tempfile
import warnings

import problems
import torch
from networks import Network, loader, loss_of, rate

import lightning  # isort: skip
from lightning.pytorch.loggers import MLFlowLogger  # isort: skip

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(1)


class Module(lightning.LightningModule):
    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.network = Network(fault)

    def training_step(self, batch, index):
        loss = loss_of(self.fault, self.network(batch[0]), batch[1])
        if self.fault == "nan" and self.global_step == problems.NAN_STEP - 1:
            loss = loss * float("nan")
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", loss_of(self.fault, self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=rate(self.fault))


for fault in problems.FAULTS:
    os.environ["TRAINWATCH_RUN_ID"] = name = problems.name("lightning", fault)
    trainer = lightning.Trainer(
        max_steps=problems.STEPS[fault],
        accelerator="cpu",
        logger=MLFlowLogger("frameworks", run_name=name, tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
        if problems.BY_MLFLOW
        else False,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        check_val_every_n_epoch=problems.EVERY // 2 if fault == "overfit" else None,
        limit_val_batches=1.0 if fault == "overfit" else 0,
        default_root_dir=tempfile.mkdtemp(),
    )
    trainer.fit(Module(fault), loader(fault, problems.samples(fault)), loader(fault, problems.validation(fault)))
