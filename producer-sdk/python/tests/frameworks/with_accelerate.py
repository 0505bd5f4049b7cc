"""A loop with Accelerate, which logs to the tracker."""

import problems
import torch
from accelerate import Accelerator
from networks import Network, loader, loss_of, rate

from trainwatch.accelerate import TrainwatchTracker

torch.set_num_threads(1)
for fault in problems.FAULTS:
    name = problems.name("accelerate", fault)
    accelerator = Accelerator(cpu=True, log_with="mlflow" if problems.BY_MLFLOW else TrainwatchTracker(name))
    accelerator.init_trackers(
        "frameworks",
        config={"max_train_steps": problems.STEPS[fault], "lr": rate(fault)},
        init_kwargs={"mlflow": {"run_name": name}},
    )
    model = Network(fault)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate(fault))
    model, optimizer, batches = accelerator.prepare(model, optimizer, loader(fault, problems.samples(fault)))
    x_val, y_val = (torch.from_numpy(part) for part in problems.validation(fault))
    step = 0
    for _ in range(problems.epochs(fault)):
        for x, y in batches:
            step += 1
            optimizer.zero_grad()
            loss = loss_of(fault, model(x), y)
            if fault == "nan" and step == problems.NAN_STEP:
                loss = loss * float("nan")
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(model.parameters(), 100.0)
            optimizer.step()
            accelerator.log(
                {"train/loss": loss.item(), "train/grad_norm": norm.item(), "lr": rate(fault)}, step=step
            )
            if fault == "overfit" and step % problems.EVERY == 0:
                with torch.no_grad():
                    accelerator.log({"eval/loss": loss_of(fault, model(x_val), y_val).item()}, step=step)
    accelerator.end_training()
