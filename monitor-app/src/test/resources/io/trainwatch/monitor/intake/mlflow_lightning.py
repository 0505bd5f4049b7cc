"""Lightning's Trainer with its own MLflow logger; the loss of step 12 is NaN. Argument: where to write."""
import os
import sys

os.chdir(sys.argv[1])
import lightning
import torch
from lightning.pytorch.loggers import MLFlowLogger

torch.manual_seed(0)
torch.set_num_threads(1)
NAN_STEP = 12


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, index):
        loss = ((self.layer(batch[0]) - batch[1]) ** 2).mean()
        if self.global_step == NAN_STEP - 1:
            loss = loss * float("nan")
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


x = torch.randn(256, 4)
data = torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
lightning.Trainer(
    max_steps=20,
    accelerator="cpu",
    log_every_n_steps=1,
    val_check_interval=10,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    logger=MLFlowLogger(
        "with lightning", run_name="lightning", tracking_uri=os.environ["MLFLOW_TRACKING_URI"]
    ),
).fit(Module(), torch.utils.data.DataLoader(data, 8), torch.utils.data.DataLoader(data, 32))
