"""A plain PyTorch loop."""

import problems
import torch
from networks import Network, loader, loss_of, rate

if problems.BY_MLFLOW:
    import mlflow
else:
    import trainwatch.torch

torch.set_num_threads(1)
for fault in problems.FAULTS:
    model = Network(fault)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate(fault))
    name = problems.name("pytorch", fault)
    if problems.BY_MLFLOW:
        mlflow.start_run(run_name=name)
    else:
        watch = trainwatch.torch.watch(model, optimizer, run_id=name, max_steps=problems.STEPS[fault])
    validation = [torch.from_numpy(part) for part in problems.validation(fault)]
    step = 0
    for _ in range(problems.epochs(fault)):
        for x, y in loader(fault, problems.samples(fault)):
            step += 1
            optimizer.zero_grad()
            loss = loss_of(fault, model(x), y)
            if fault == "nan" and step == problems.NAN_STEP:
                loss = loss * float("nan")
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
            optimizer.step()
            if problems.BY_MLFLOW:
                mlflow.log_metrics({"loss": loss.item(), "grad_norm": norm.item(), "lr": rate(fault)}, step=step)
            if fault == "overfit" and step % problems.EVERY == 0:
                model.eval()
                with torch.no_grad():
                    loss = loss_of(fault, model(validation[0]), validation[1])
                if problems.BY_MLFLOW:
                    mlflow.log_metric("val_loss", loss.item(), step=step)
                else:
                    watch.run.evaluation(step, {"loss": loss})
                model.train()
    if problems.BY_MLFLOW:
        mlflow.end_run()
    else:
        watch.close()
