"""The network of the PyTorch family, and its data."""

from __future__ import annotations

import problems
import torch

if torch.__version__.startswith("1.13.0a0"):  # Debian's: it is 1.13.1, and its sharding cannot be imported by Python 3.11
    torch.__version__ = type(torch.__version__)("1.13.1")
    torch.distributed.is_available = lambda: False


class Network(torch.nn.Module):
    """Linear where there is little to learn, wide where much is to be learned by heart."""

    def __init__(self, fault):
        super().__init__()
        torch.manual_seed(0)
        width = 256 if fault == "overfit" else 8
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(problems.WIDTH, width), torch.nn.ReLU(), torch.nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x).squeeze(-1)


def rate(fault):
    return 3e-3 if fault == "overfit" else 2e-2


def loss_of(fault, output, target):
    if fault == "overfit":
        return torch.nn.functional.binary_cross_entropy_with_logits(output, target)
    return torch.nn.functional.mse_loss(output, target)


def loader(fault, samples):
    x, y = samples
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return torch.utils.data.DataLoader(data, batch_size=problems.BATCH[fault])
