"""What trainwatch.torch sees of a loop, against what can be computed by hand."""

from __future__ import annotations

import pytest
import torch

import trainwatch
import trainwatch.torch

SCALER = getattr(torch.amp, "GradScaler", torch.cuda.amp.GradScaler)
INPUT = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
TARGET = torch.tensor([[1.0], [0.0]])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))


@pytest.fixture
def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.fixture
def watch(model, optimizer, recorded):
    watched = trainwatch.torch.watch(model, optimizer, run_id="r1", location=recorded.location)
    yield watched
    watched.close()


def backward(model, factor=1.0):
    loss = torch.nn.functional.mse_loss(model(INPUT), TARGET) * factor
    loss.backward()
    return float(loss.detach())


def norm(model):
    return float(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm())


def test_a_step_has_the_loss_the_gradient_norm_and_the_rate(model, optimizer, watch, recorded):
    loss = backward(model)
    gradient = norm(model)
    optimizer.step()
    watch.close()
    (step,) = recorded("step_completed")
    assert step["step"] == 1
    assert step["loss"] == pytest.approx(loss)
    assert step["grad_norm"] == pytest.approx(gradient)
    assert step["learning_rate"] == 0.1
    assert step["is_first_step"] is True


@pytest.mark.parametrize("clip", [torch.nn.utils.clip_grad_norm_, lambda *args: torch.nn.utils.clip_grad_norm_(*args)])
def test_the_gradient_norm_is_that_before_clipping_however_it_is_clipped(model, optimizer, watch, recorded, clip):
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        backward(model, 100.0)
        expected.append(norm(model))
        clip(model.parameters(), 0.5)
        optimizer.step()
    watch.close()
    assert [step["grad_norm"] for step in recorded("step_completed")] == pytest.approx(expected)


def test_micro_batches_are_one_step_with_the_loss_that_is_descended(model, optimizer, watch, recorded):
    losses = [backward(model, 0.5), backward(model, 0.5)]
    gradient = norm(model)
    optimizer.step()
    watch.close()
    (step,) = recorded("step_completed")
    assert step["loss"] == pytest.approx(sum(losses))
    assert step["grad_norm"] == pytest.approx(gradient)


def test_a_loss_that_is_given_is_taken(model, optimizer, watch, recorded):
    watch.loss(torch.tensor(7.0))
    backward(model)
    optimizer.step()
    watch.close()
    assert recorded("step_completed")[0]["loss"] == 7.0


def test_statistics_of_gradients_weights_and_updates_are_exact_where_all_elements_are_sampled(
    model, optimizer, watch, recorded
):
    backward(model)
    gradient = model[0].weight.grad.clone()
    before = model[0].weight.detach().clone()
    optimizer.step()
    after = model[0].weight.detach().clone()
    watch.close()
    rows = {(row["name"], row["kind"]): row for row in recorded("tensor_stats")[0]["tensors"]}
    row = rows["0.weight", "gradient"]
    assert (row["count"], row["nonfinite_count"]) == (8, 0)
    assert row["mean"] == pytest.approx(float(gradient.mean()), rel=1e-5)
    assert row["std"] == pytest.approx(float(gradient.std(unbiased=False)), rel=1e-5)
    assert row["abs_max"] == pytest.approx(float(gradient.abs().max()))
    assert row["l2_norm"] == pytest.approx(float(gradient.norm()))
    assert row["zero_fraction"] == pytest.approx(float((gradient == 0).float().mean()))
    assert rows["0.weight", "weight"]["l2_norm"] == pytest.approx(float(after.norm()))
    assert rows["0.weight", "update"]["l2_norm"] == pytest.approx(float((after - before).norm()), rel=1e-4)
    assert {"0.weight", "0.bias", "2.weight", "2.bias", "1"} == {name for name, _ in rows}


def test_statistics_come_on_the_first_ten_steps_and_then_every_hundred(model, optimizer, watch, recorded):
    for _ in range(205):
        optimizer.zero_grad()
        backward(model)
        optimizer.step()
    watch.close()
    assert [event["step"] for event in recorded("tensor_stats")] == [*range(1, 11), 100, 200]
    assert len(recorded("step_completed")) == 205


def test_values_that_are_not_finite_are_counted_and_left_out(model, optimizer, watch, recorded):
    backward(model)
    model[0].weight.grad[0, 0] = float("nan")
    model[0].weight.grad[1, 1] = float("inf")
    watch._gradients = trainwatch.torch._statistics("gradient", [("0.weight", model[0].weight.grad)], None)
    (row,) = watch._gradients.rows()
    finite = model[0].weight.grad[torch.isfinite(model[0].weight.grad)]
    assert row["nonfinite_count"] == 2
    assert row["mean"] == pytest.approx(float(finite.mean()), rel=1e-5)
    assert row["l2_norm"] == pytest.approx(float(finite.norm()), rel=1e-5)


def test_units_that_are_silent_for_every_sample_are_told(model, optimizer, watch, recorded):
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([-1.0, -1.0, -1.0, 1.0]))
    backward(model)
    optimizer.step()
    watch.close()
    rows = {row["name"]: row for row in recorded("tensor_stats")[0]["tensors"] if row["kind"] == "activation"}
    assert rows["1"]["dead_unit_fraction"] == 0.75


@pytest.mark.skipif(SCALER is torch.cuda.amp.GradScaler, reason="this PyTorch scales on CUDA alone")
def test_an_overflow_under_mixed_precision_is_a_skipped_step(model, optimizer, watch, recorded):
    class Scaler(SCALER):
        def __init__(self):
            super().__init__("cpu", init_scale=1024.0)

    scaler = Scaler()
    expected = []
    for factor in (1.0, float("inf")):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(INPUT), TARGET) * factor
        expected.append(float(loss.detach()))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    watch.close()
    steps = recorded("step_completed")
    assert [step["step"] for step in steps] == [1, 2]
    assert steps[0]["loss"] == pytest.approx(expected[0]) and steps[0]["loss_scale"] == 1024.0
    assert steps[0]["grad_norm"] < 100, "the scale is taken out"
    assert "optimizer_step_skipped" not in steps[0] and steps[1]["optimizer_step_skipped"] is True


def test_the_wait_for_data_is_told_apart_and_evaluation_is_no_part_of_a_step(model, optimizer, watch, recorded):
    import time

    class Slow(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            time.sleep(0.02)
            return INPUT[0], TARGET[0]

    for x, y in torch.utils.data.DataLoader(Slow()):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        model.eval()
        time.sleep(0.2)
        model.train()
    watch.close()
    steps = recorded("step_completed")[1:]
    assert all(step["data_time_seconds"] >= 0.02 for step in steps)
    assert min(step["step_time_seconds"] for step in steps) < 0.2


def test_a_loop_that_goes_on_from_a_checkpoint_goes_on_counting(model, recorded):
    first = torch.optim.Adam(model.parameters())
    for _ in range(5):
        backward(model)
        first.step()
    second = torch.optim.Adam(model.parameters())
    second.load_state_dict(first.state_dict())
    watched = trainwatch.torch.watch(model, second, run_id="r1", location=recorded.location)
    backward(model)
    second.step()
    watched.close()
    assert [step["step"] for step in recorded("step_completed")] == [6]


def test_pytorch_is_left_as_it_was(model, optimizer, recorded):
    before = [torch.Tensor.backward, torch.nn.utils.clip_grad_norm_, torch.nn.Module.train, SCALER.step]
    watched = trainwatch.torch.watch(model, optimizer, run_id="r1", location=recorded.location)
    assert torch.Tensor.backward is not before[0]
    watched.close()
    after = [torch.Tensor.backward, torch.nn.utils.clip_grad_norm_, torch.nn.Module.train, SCALER.step]
    assert after == before


def test_what_goes_wrong_in_the_watch_does_not_reach_the_training(model, optimizer, watch, recorded, monkeypatch):
    monkeypatch.setattr(trainwatch.torch, "_statistics", lambda *args: 1 / 0)
    backward(model)
    optimizer.step()
    assert norm(model) > 0


def test_a_model_is_described(model, optimizer):
    told = trainwatch.torch.describe(model, optimizer)
    assert (told["num_parameters"], told["optimizer"], told["precision"]) == (17, "sgd", "fp32")
    assert told["layers"] == [
        {"name": "0", "index": 0, "role": "linear", "trainable": True, "fan_in": 2},
        {"name": "2", "index": 1, "role": "output", "trainable": True, "fan_in": 4},
    ]


def test_a_model_is_checked_on_a_copy(model, optimizer, recorded):
    x, y = torch.randn(600, 2), torch.randint(0, 2, (600,))
    classifier = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    before = [parameter.detach().clone() for parameter in classifier.parameters()]
    half = torch.optim.SGD(classifier[0].parameters(), lr=0.1)
    state = torch.random.get_rng_state()
    checks = {
        check["name"]: check
        for check in trainwatch.preflight(
            x, y, model=classifier, loss=torch.nn.functional.cross_entropy, optimizer=half
        )
    }
    assert checks["forward_one_sample_error_count"]["passed"]
    assert checks["trainable_parameters_without_optimizer_count"]["value"] == 2
    assert checks["initial_loss_ratio"]["passed"]
    assert "overfit_one_batch_final_loss" in checks
    assert all(torch.equal(old, new) for old, new in zip(before, classifier.parameters()))
    assert torch.equal(state, torch.random.get_rng_state())
