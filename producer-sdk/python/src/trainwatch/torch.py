"""Watches a plain PyTorch training loop::

    watch = trainwatch.torch.watch(model, optimizer)

What it sees, and how: the loss, where ``backward()`` is called on a scalar (with gradient accumulation the sum of the
micro-batches, which is what the optimizer descends); the gradient norm before clipping, from ``clip_grad_norm_`` where that
is used, else computed behind ``backward()``; learning rates; the time that a ``DataLoader`` made the loop wait; steps that a
``GradScaler`` skipped, and its scale; on the first 10 steps and then every ``every`` steps the statistics of all gradients,
weights and updates, and of activation modules which units were silent or saturated. Whatever lies on a device is computed
there and read by another thread: nothing waits for the device.

Known weaknesses: activations that are functions (``F.relu``) are not seen; with sharded parameters (FSDP) norms are those of
the shard; where one loop trains several models, give each ``watch`` its loss with ``watch.loss(loss)``.
"""

from __future__ import annotations

import functools
import math
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.utils.data import dataloader

import trainwatch
from trainwatch.internal.ending import close_at_exit
from trainwatch.internal.guard import harmless
from trainwatch.run import TrainingRun

__all__ = ["Watch", "describe", "watch"]

#: Steps at the start of which every one has statistics.
FIRST_STEPS = 10

#: Elements of a tensor that quantiles and updates are estimated from.
_SAMPLE = 4_096
#: Batches that have to agree that a unit is silent, fewer where they have enough samples: a living unit that is active in
#: 3 % of the samples is silent in 128 of them once in 50 times.
_WINDOW_BATCHES = 4
_WINDOW_SAMPLES = 128

_RECTIFIERS = (torch.nn.ReLU, torch.nn.ReLU6)
_TANH = (torch.nn.Tanh, torch.nn.Softsign)
_SIGMOIDS = (torch.nn.Sigmoid,)


def watch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    run: Optional[TrainingRun] = None,
    every: int = 100,
    first_step: Optional[int] = None,
    **start: Any,
) -> "Watch":
    """Watches a training loop until the process ends or close() is called.

    :param model: the model that is trained
    :param optimizer: what trains it; each of its steps is one step of the run
    :param run: where to record; default a new run of ``trainwatch.start(**start)``
    :param every: steps between two statistics of all tensors, at least 1; default 100: those cost about one step
    :param first_step: steps that were made before, as after loading a checkpoint; default what the optimizer's state says
    """
    if every < 1:
        raise ValueError("every must be at least 1 step, was %r" % (every,))
    if run is None:
        run = trainwatch.start(**{**describe(model, optimizer), **start})
        close_at_exit(run)
    return Watch(model, optimizer, run, every, first_step)


class Watch:
    """A training loop that is watched. ``run`` may be used for what only the loop knows: evaluations, checkpoints."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        run: TrainingRun,
        every: int = 100,
        first_step: Optional[int] = None,
    ) -> None:
        self.run = run
        self._model = model
        self._every = every
        self._parameters = [
            (name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad
        ]
        self._has_statistics = run.rank == 0
        self.step = _steps_made(optimizer) if first_step is None else first_step
        self._begun_at = self.step
        self._due = self._next_due()
        self._losses: List[Tensor] = []
        self._loss_is_given = False
        self._norm: Optional[Tensor] = None
        self._clips = False
        self._clipped_to: Optional[float] = None
        self._scale: Optional[Tensor] = None
        self._gradients: Optional[_Statistics] = None
        self._before: List[Tensor] = []
        self._activations: Dict[str, _Activation] = {}
        self._hooks: List[Any] = []
        self._data_time = 0.0
        self._last_step_at: Optional[float] = None
        self._evaluating_since: Optional[float] = None
        self._stepped = False
        self._closed = False
        self._optimizer = optimizer
        self._gradient_holders = [parameter for _, parameter in self._parameters]
        self._handles = _hook_steps(optimizer, self._before_step, self._after_step)
        _patch(self)
        self._prepare()

    def loss(self, loss: Tensor) -> None:
        """Gives the loss of a (micro-)batch; from then on, losses are no longer taken from backward()."""
        self._loss_is_given = True
        self._losses.append(loss.detach())

    def close(self) -> None:
        """Ends the watch and its run."""
        if not self._closed:
            self.detach()
            self.run.close()

    def detach(self) -> None:
        """Ends the watch; its run goes on."""
        self._closed = True
        for handle in self._handles + self._hooks:
            handle.remove()
        _unpatch(self)

    # --- what happens in a step, in its order

    @harmless
    def _on_scale(self, scaler: Any, loss: Any) -> None:
        self._scale = getattr(scaler, "_scale", None)
        if not self._loss_is_given and _is_scalar(loss):
            self._losses.append(loss.detach())

    @harmless
    def _on_backward(self, root: Tensor, scaled: bool) -> None:
        if not self._loss_is_given and not scaled and _is_scalar(root):
            self._losses.append(root.detach())
        if not self._clips:
            gradients = [parameter.grad for parameter in self._gradient_holders]
            whole = [gradient for gradient in gradients if gradient is not None]
            self._norm = _norm(whole, self._scale if scaled else None)
        if self._is_due():
            self._gradients = _statistics(
                "gradient",
                [(name, parameter.grad) for name, parameter in self._parameters if parameter.grad is not None],
                self._scale if scaled else None,
            )

    @harmless
    def _on_clip(self, parameters: Any, max_norm: Any, norm: Tensor) -> None:
        if any(parameter is self._parameters[0][1] for parameter in parameters):
            self._clips = True
            self._norm = norm.detach()
            self._clipped_to = float(max_norm) if isinstance(max_norm, (int, float)) else None

    @harmless
    def _before_step(self, *unused: Any) -> None:
        if self._is_due():
            self._before = [_sample(parameter.detach()).clone() for _, parameter in self._parameters]

    @harmless
    def _after_step(self, *unused: Any) -> None:
        self._stepped = True
        self._record(skipped=False)

    @harmless
    def _on_scaler_step(self, optimizer: Any) -> None:
        if optimizer is self._optimizer and not self._stepped:
            self._record(skipped=True)

    @harmless
    def _on_data(self, seconds: float) -> None:
        if self._evaluating_since is None:
            self._data_time += seconds

    @harmless
    def _on_mode(self, module: torch.nn.Module, training: bool) -> None:
        if module is not self._model or training == (self._evaluating_since is None):
            return
        now = time.perf_counter()
        if training:
            if self._last_step_at is not None and self._evaluating_since is not None:
                self._last_step_at += now - self._evaluating_since
            self._evaluating_since = None
            self.run.activity("train")
        else:
            self._evaluating_since = now
            self.run.activity("evaluation")

    # --- what is recorded

    def _is_due(self) -> bool:
        """Whether the step that is being made has statistics of all tensors."""
        return self.step + 1 == self._due

    def _next_due(self) -> Optional[int]:
        """Returns the next step that has them."""
        if not self._has_statistics:
            return None
        if self.step - self._begun_at < FIRST_STEPS:
            return self.step + 1
        return (self.step // self._every + 1) * self._every

    def _record(self, skipped: bool) -> None:
        due = self._is_due()
        self.step += 1
        now = time.perf_counter()
        details: Dict[str, Any] = {}
        if self._last_step_at is not None:
            details["step_time_seconds"] = max(now - self._last_step_at, 1e-9)
            details["data_time_seconds"] = self._data_time
        else:
            details["is_first_step"] = True
        self._last_step_at = now
        self._data_time = 0.0
        if self._scale is not None:
            details["loss_scale"] = self._scale
        if skipped:
            details["optimizer_step_skipped"] = True
        if self._clipped_to is not None and self._norm is not None:
            details["grad_norm_clipped"] = torch.clamp(self._norm, max=self._clipped_to)
        groups = self._optimizer.param_groups
        rate = groups[0].get("lr")
        if len(groups) > 1:
            rates = [group.get("lr") for group in groups]
            rate = max((rate for rate in rates if rate is not None), default=None)
            if any(other != rates[0] for other in rates):
                details["learning_rates"] = {"group_%d" % index: rate for index, rate in enumerate(rates)}
        if due:
            details.update(self._statistics(skipped))
        loss = self._losses[0] if len(self._losses) == 1 else sum(self._losses) if self._losses else None
        self._losses = []
        self.run.step(self.step, loss, grad_norm=self._norm, learning_rate=rate, **details)
        self._norm = None
        self._clipped_to = None
        self._gradients = None
        self._before = []
        self._prepare()

    def _statistics(self, skipped: bool) -> Dict[str, Tensor]:
        """Records the statistics of all tensors, and returns what of them belongs to the step."""
        weights = _statistics("weight", [(name, parameter.detach()) for name, parameter in self._parameters], None)
        parts: List[Any] = [part for part in (self._gradients, weights) if part is not None]
        details: Dict[str, Tensor] = {}
        if weights is not None:
            details["param_norm"] = torch.linalg.vector_norm(weights.table[:, _L2])
        if self._before and not skipped and weights is not None:
            updates = _updates(self._parameters, self._before)
            moved = torch.linalg.vector_norm(updates.table[:, _L2])
            details["update_to_weight_ratio"] = moved / details["param_norm"]
            parts.append(updates)
        parts += self._activations.values()
        self._stop_looking()
        self.run.tensor_stats(self.step, _Later(lambda: [row for part in parts for row in part.rows()]))
        return details

    # --- activations: looked at for a few batches before each report

    def _prepare(self) -> None:
        if self._due is not None and self._due <= self.step:
            self._due = self._next_due()
        if self._due is not None and self._due - self.step <= _WINDOW_BATCHES and not self._hooks:
            for name, module in self._model.named_modules():
                if isinstance(module, _RECTIFIERS + _TANH + _SIGMOIDS):
                    activation = self._activations.setdefault(name, _Activation(name))
                    self._hooks.append(module.register_forward_hook(functools.partial(_look, activation)))

    def _stop_looking(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._activations = {}


def describe(model: torch.nn.Module, optimizer: Any = None) -> Dict[str, Any]:
    """Returns what can be said of a model and its optimizer before training: fields of RunStarted."""
    parameters = list(model.parameters())
    kinds = {parameter.dtype for parameter in parameters if parameter.requires_grad}
    details: Dict[str, Any] = {
        "model_name": type(model).__name__,
        "framework": "pytorch " + torch.__version__,
        "num_parameters": sum(parameter.numel() for parameter in parameters),
        "num_trainable_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "layers": _layers(model),
    }
    if len(kinds) == 1:
        details["precision"] = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}.get(kinds.pop())
    if optimizer is not None:
        groups = optimizer.param_groups
        details["optimizer"] = type(optimizer).__name__.lower()
        decay = groups[0].get("weight_decay")
        details["weight_decay"] = float(decay) if isinstance(decay, (int, float)) else None
    return details


def _layers(model: torch.nn.Module) -> List[Dict[str, Any]]:
    """Returns the layers that have parameters of their own, in the order of their definition."""
    layers: List[Dict[str, Any]] = []
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        weight = getattr(module, "weight", None)
        fan_in = None
        if isinstance(weight, Tensor) and weight.dim() >= 2:
            fan_in = weight.numel() // weight.shape[0]
        layers.append(
            {
                "name": name or type(module).__name__,
                "index": len(layers),
                "role": _role(module),
                "trainable": any(parameter.requires_grad for parameter in own),
                "fan_in": fan_in,
            }
        )
    matrices = [layer for layer in layers if layer["role"] in ("linear", "conv")]
    if len(matrices) > 1 and matrices[-1]["role"] == "linear":
        matrices[-1]["role"] = "output"
    return layers


def _role(module: torch.nn.Module) -> str:
    kind = type(module).__name__.lower()
    if isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag)):
        return "embedding"
    if "norm" in kind:
        return "norm"
    if "conv" in kind:
        return "conv"
    if "attention" in kind:
        return "attention"
    return "linear" if "linear" in kind else "other"


# --- statistics, computed where the tensors are and read elsewhere

_COLUMNS = ("nonfinite_count", "mean", "std", "abs_mean", "abs_max", "l2_norm", "zero_fraction", "p05", "p50", "p95")
_L2 = _COLUMNS.index("l2_norm")
#: Columns that a loss scale does not change.
_UNSCALED = (0, 6)
_QUANTILES = (0.05, 0.5, 0.95)


class _Later:
    """What the sender is to compute, off the thread that trains."""

    def __init__(self, rows: Callable[[], List[Mapping[str, Any]]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows())


class _Statistics(NamedTuple):
    """A row per tensor."""

    kind: str
    names: Sequence[str]
    counts: Sequence[int]
    columns: Sequence[str]
    table: Tensor

    def rows(self) -> List[Dict[str, Any]]:
        """Reads the table, which may wait for the device."""
        rows = []
        for name, count, values in zip(self.names, self.counts, self.table.tolist()):
            row: Dict[str, Any] = {"name": name, "kind": self.kind, "count": count, **dict(zip(self.columns, values))}
            if "nonfinite_count" in row:
                row["nonfinite_count"] = int(row["nonfinite_count"])
            rows.append(row)
        return rows


def _statistics(kind: str, tensors: Sequence[Tuple[str, Any]], scale: Optional[Tensor]) -> Optional[_Statistics]:
    names, counts, rows = [], [], []
    with torch.no_grad():
        for name, tensor in tensors:
            values = _values(tensor)
            if values.numel() == 0 or not values.is_floating_point():
                continue
            names.append(name)
            counts.append(values.numel())
            rows.append(_row(values))
        if not rows:
            return None
        table = torch.stack([row.to(rows[0].device) for row in rows])
        if scale is not None:
            factor = torch.ones(len(_COLUMNS), dtype=table.dtype, device=table.device)
            inverse = (1.0 / scale).to(table.device, table.dtype)
            table = table * torch.where(_is_scaled(table.device), inverse, factor)
    return _Statistics(kind, names, counts, _COLUMNS, table)


def _is_scaled(device: torch.device) -> Tensor:
    return torch.tensor([column not in _UNSCALED for column in range(len(_COLUMNS))], device=device)


def _values(tensor: Tensor) -> Tensor:
    """Returns the elements in a precision that sums can be taken in."""
    local = getattr(tensor, "_local_tensor", tensor)  # of a DTensor
    if local.is_sparse:
        local = local.coalesce().values()
    return local.float() if local.dtype in (torch.float16, torch.bfloat16) else local


def _row(values: Tensor) -> Tensor:
    """Returns the columns for one tensor; all but the first are over the finite elements."""
    count = values.numel()
    finite = torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    bad = count - torch.isfinite(values).sum()
    absolute = finite.abs()
    quantiles = torch.quantile(_sample(finite), torch.tensor(_QUANTILES, dtype=finite.dtype, device=finite.device))
    left = (count - bad).clamp(min=1)
    columns = [
        bad,
        finite.sum() / left,
        finite.std(unbiased=False),
        absolute.sum() / left,
        absolute.max(),
        torch.linalg.vector_norm(finite),
        (count - torch.count_nonzero(finite) - bad) / left,
    ]
    return torch.cat([torch.stack([column.to(finite.dtype) for column in columns]), quantiles])


def _updates(parameters: Sequence[Tuple[str, Tensor]], before: Sequence[Tensor]) -> _Statistics:
    """Estimates the norm of each update from a sample of its elements."""
    names, counts, norms = [], [], []
    with torch.no_grad():
        for (name, parameter), old in zip(parameters, before):
            after = _sample(parameter.detach())
            names.append(name)
            counts.append(parameter.numel())
            norm = torch.linalg.vector_norm((after - old).float()) * math.sqrt(parameter.numel() / max(1, old.numel()))
            norms.append(norm)
        table = torch.zeros(len(norms), _L2 + 1, device=norms[0].device)
        table[:, _L2] = torch.stack([norm.to(norms[0].device) for norm in norms])
    return _Updates(names, counts, table)


class _Updates(_Statistics):
    """Norms alone."""

    def __new__(cls, names: Sequence[str], counts: Sequence[int], table: Tensor) -> "_Updates":
        return super().__new__(cls, "update", names, counts, (), table)

    def rows(self) -> List[Dict[str, Any]]:
        """Reads the norms, which may wait for the device."""
        norms = self.table[:, _L2].tolist()
        return [
            {"name": name, "kind": "update", "count": count, "l2_norm": norm}
            for name, count, norm in zip(self.names, self.counts, norms)
        ]


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.flatten()
    return flat[:: max(1, flat.numel() // _SAMPLE)]


def _norm(gradients: Sequence[Tensor], scale: Optional[Tensor]) -> Optional[Tensor]:
    """Returns the L2 norm over all gradients, loss scale removed."""
    if not gradients:
        return None
    try:
        norms = torch._foreach_norm(gradients)
        norm = torch.linalg.vector_norm(torch.stack(norms))
    except RuntimeError:  # sparse ones, or of several devices or precisions
        device = gradients[0].device
        norms = [torch.linalg.vector_norm(_values(gradient)).to(device).float() for gradient in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms))
    norm = norm.detach()
    return norm if scale is None else norm / scale.to(norm.device)


class _Activation:
    """What a few batches say of one activation module."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.batches = 0
        self.samples = 0
        self.largest: Optional[Tensor] = None
        self.saturated: Optional[Tensor] = None
        self.mean: Optional[Tensor] = None
        self.std: Optional[Tensor] = None

    def rows(self) -> List[Dict[str, Any]]:
        """Reads what was computed, which may wait for the device."""
        if not self.batches or self.mean is None or self.std is None:
            return []
        row: Dict[str, Any] = {
            "name": self.name,
            "kind": "activation",
            "mean": float(self.mean),
            "std": float(self.std),
            "dead_window_batches": self.batches,
        }
        if self.largest is not None:
            row["dead_unit_fraction"] = float((self.largest == 0).float().mean())
        if self.saturated is not None:
            row["saturated_fraction"] = float(self.saturated / self.batches)
        return [row]


@harmless
def _look(activation: _Activation, module: torch.nn.Module, inputs: Any, output: Any) -> None:
    if not isinstance(output, Tensor) or not module.training or activation.samples >= _WINDOW_SAMPLES:
        return
    with torch.no_grad():
        values = output.detach()
        activation.batches += 1
        activation.samples += values.shape[0] if values.dim() else 1
        sample = _sample(values).float()
        activation.mean, activation.std = sample.mean(), sample.std(unbiased=False)
        if isinstance(module, _RECTIFIERS):
            # Units are channels of images and of volumes, else the last dimension.
            unit = 1 if values.dim() in (4, 5) else values.dim() - 1
            others = [dimension for dimension in range(values.dim()) if dimension != unit]
            largest = values.amax(others) if others else values
            both = activation.largest is not None
            activation.largest = torch.maximum(activation.largest, largest) if both else largest
        else:
            flat = values.abs() > 0.99 if isinstance(module, _TANH) else (values < 0.01) | (values > 0.99)
            share = flat.float().mean()
            activation.saturated = share if activation.saturated is None else activation.saturated + share


# --- where PyTorch is listened to; undone when the last watch ends

_watches: Tuple[Watch, ...] = ()
_originals: List[Tuple[Any, str, Any]] = []


def _patch(watch: Watch) -> None:
    global _watches
    _watches = (*_watches, watch)
    if _originals:
        return
    scalers = [torch.cuda.amp.GradScaler]
    scaler = getattr(getattr(torch, "amp", None), "GradScaler", None)
    if scaler is not None and scaler not in scalers:
        scalers.insert(0, scaler)
    _wrap(torch.Tensor, "backward", _backward)
    _wrap(torch.nn.utils, "clip_grad_norm_", _clip)
    _wrap(torch.nn.Module, "train", _train)
    _wrap(dataloader._BaseDataLoaderIter, "__next__", _next)
    for kind in scalers:
        if "scale" in vars(kind):
            _wrap(kind, "scale", _scale)
            _wrap(kind, "step", _scaler_step)


def _unpatch(watch: Watch) -> None:
    global _watches
    _watches = tuple(one for one in _watches if one is not watch)
    if not _watches:
        while _originals:
            owner, name, original = _originals.pop()
            setattr(owner, name, original)


def _wrap(owner: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    _originals.append((owner, name, original))
    setattr(owner, name, functools.wraps(original)(around(original)))


def _backward(original: Callable[..., Any]) -> Callable[..., Any]:
    def backward(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        scaled = getattr(self, "_trainwatch_scaled", False)
        for one in _watches:
            one._on_backward(self, scaled)
        return result

    return backward


def _clip(original: Callable[..., Any]) -> Callable[..., Any]:
    def clip_grad_norm_(parameters: Any, max_norm: Any, *args: Any, **kwargs: Any) -> Any:
        parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        norm = original(parameters, max_norm, *args, **kwargs)
        for one in _watches:
            one._on_clip(parameters, max_norm, norm)
        return norm

    return clip_grad_norm_


def _train(original: Callable[..., Any]) -> Callable[..., Any]:
    def train(self: torch.nn.Module, mode: bool = True) -> Any:
        for one in _watches:
            one._on_mode(self, mode)
        return original(self, mode)

    return train


def _next(original: Callable[..., Any]) -> Callable[..., Any]:
    def __next__(self: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(self)
        finally:
            seconds = time.perf_counter() - begun
            for one in _watches:
                one._on_data(seconds)

    return __next__


def _scale(original: Callable[..., Any]) -> Callable[..., Any]:
    def scale(self: Any, outputs: Any) -> Any:
        result = original(self, outputs)
        if isinstance(result, Tensor) and self.is_enabled():
            for one in _watches:
                one._on_scale(self, outputs)
            result._trainwatch_scaled = True
        return result

    return scale


def _scaler_step(original: Callable[..., Any]) -> Callable[..., Any]:
    def step(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        for one in _watches:
            one._stepped = False
        result = original(self, optimizer, *args, **kwargs)
        for one in _watches:
            one._on_scaler_step(optimizer)
        return result

    return step


def _hook_steps(optimizer: Any, before: Callable[..., None], after: Callable[..., None]) -> List[Any]:
    if hasattr(optimizer, "register_step_post_hook"):
        return [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]
    original = optimizer.step  # PyTorch 1

    @functools.wraps(original)
    def step(*args: Any, **kwargs: Any) -> Any:
        before()
        result = original(*args, **kwargs)
        after()
        return result

    optimizer.step = step
    return [_Restored(optimizer, original)]


class _Restored(NamedTuple):
    """The step method of an optimizer as it was."""

    optimizer: Any
    original: Any

    def remove(self) -> None:
        """Puts it back."""
        self.optimizer.step = self.original


def _is_scalar(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1


def _steps_made(optimizer: Any) -> int:
    """Returns how many steps an optimizer has made before, as its state says; 0 where it does not."""
    for state in optimizer.state.values():
        step = state.get("step") if isinstance(state, dict) else None
        if isinstance(step, (int, float)):
            return int(step)
        if isinstance(step, Tensor) and step.device.type == "cpu":
            return int(step.item())
    return 0
