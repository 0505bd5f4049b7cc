"""Tensors that lie on a device are never waited for by the thread that trains."""

from __future__ import annotations

import threading

import numpy

import trainwatch


class DeviceTensor:
    """Behaves as a tensor on a device; remembers which thread waited for it."""

    is_cpu = False

    def __init__(self, value, waited=None):
        self.value = value
        self.waited = [] if waited is None else waited

    def detach(self):
        return self

    def numel(self):
        return 1

    def clone(self):
        return DeviceTensor(self.value, self.waited)

    def __float__(self):
        self.waited.append(threading.current_thread().name)
        return self.value

    item = __float__


def test_a_tensor_on_a_device_is_read_by_the_sender(recorded):
    loss, accuracy = DeviceTensor(float("nan")), DeviceTensor(0.5)
    with trainwatch.start("r1", location=recorded.location) as run:
        run.step(1, loss, grad_norm=DeviceTensor(2.0), metrics={"accuracy": accuracy})
        loss.value = 7.0  # what the training does with it afterwards
    step = recorded("step_completed")[0]
    assert (step["loss"], step["grad_norm"], step["metrics"]) == ("NaN", 2.0, {"accuracy": 0.5})
    assert loss.waited + accuracy.waited == ["trainwatch-sender"] * 2


def test_a_device_that_has_failed_costs_one_number(recorded, caplog):
    class Failed(DeviceTensor):
        def clone(self):
            return self

        def __float__(self):
            raise RuntimeError("CUDA error: device-side assert triggered")

    with trainwatch.start("r1", location=recorded.location) as run:
        run.step(1, Failed(1.0), learning_rate=0.1)
    step = recorded("step_completed")[0]
    assert "loss" not in step and step["learning_rate"] == 0.1
    assert "device-side assert" in caplog.text


def test_numbers_of_numpy_are_numbers(recorded):
    with trainwatch.start("r1", location=recorded.location) as run:
        run.step(numpy.int64(3), numpy.float32(0.5), grad_norm=numpy.array([2.0]), metrics={"n": numpy.int32(7)})
        run.evaluation(3, {"loss": numpy.float64("inf")}, num_samples=numpy.int64(10))
    step = recorded("step_completed")[0]
    assert (step["step"], step["loss"], step["grad_norm"], step["metrics"]) == (3, 0.5, 2.0, {"n": 7.0})
    assert recorded("evaluation_completed")[0]["metrics"] == {"loss": "Infinity"}
