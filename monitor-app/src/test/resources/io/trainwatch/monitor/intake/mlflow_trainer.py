"""A trainer that knows MLflow only: what it logs is what the test expects to be told. Arguments: where to keep artifacts."""
import os
import sys

import mlflow
from mlflow import MlflowClient

os.chdir(sys.argv[1])
mlflow.set_experiment("exp ä")
with mlflow.start_run(run_name="first", tags={"team": "vision"}) as run:
    mlflow.log_params({"learning_rate": 0.001, "max_steps": 100, "optim": "AdamW"})
    for step in range(1, 4):
        mlflow.log_metrics({"loss": 1.0 / step, "grad_norm": 0.5}, step=step)
        mlflow.log_metric("learning_rate", 0.001, step=step)
    mlflow.log_metrics({"eval_loss": 0.25, "eval_accuracy": 0.5}, step=3)
    mlflow.log_metric("loss", float("nan"), step=4)
    mlflow.log_text("kept where the trainer runs", "note.txt")
client = MlflowClient()
found = client.get_run(run.info.run_id)
assert client.get_experiment(run.info.experiment_id).name == "exp ä"
assert found.info.run_id == run.info.run_id
assert found.info.run_name == "first"
assert found.info.experiment_id == run.info.experiment_id
assert [e.name for e in client.search_experiments(filter_string="name = 'other'")] == ["other"]
print(run.info.run_id)
