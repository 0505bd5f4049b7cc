"""The fields of every event, with units and ranges. Written by tools/write_fields.py from the schema of the events."""

from __future__ import annotations

from typing import Any, Dict, List, TypedDict

#: A number, or a tensor or array that holds one.
Number = Any


class StepCompleted(TypedDict, total=False):
    """One optimizer step, or the mean over window_steps of them, as the trainer logs it."""

    #: Training loss, in the unit of the loss function. May be non-finite.
    loss: Number
    #: What the loss is a mean over: "global_mean", "rank_mean" or "micro_batch".
    loss_reduction: str
    #: Optimizer steps that this event averages, at least 1; 1 where absent.
    window_steps: Number
    #: Component losses by name, e.g. {"box_loss": 1.2}. May be non-finite.
    losses: Dict[str, Number]
    #: NaN and infinite elements seen in loss, weights and activations since the last event, at least 0.
    nonfinite_count: Number
    #: Global L2 norm of the gradient before clipping, loss scale removed, at least 0. May be non-finite.
    grad_norm: Number
    #: The same after clipping, at least 0. May be non-finite.
    grad_norm_clipped: Number
    #: Learning rate in force at this step, at least 0; the largest over parameter groups. Finite.
    learning_rate: Number
    #: Learning rate per parameter group, at least 0. Finite.
    learning_rates: Dict[str, Number]
    #: Loss scale of mixed precision, above 0. Finite.
    loss_scale: Number
    #: True if the optimizer step was skipped (mixed-precision overflow).
    optimizer_step_skipped: bool
    #: L2 norm of the update over L2 norm of the weights, at least 0. May be non-finite.
    update_to_weight_ratio: Number
    #: Global L2 norm of the weights, at least 0. May be non-finite.
    param_norm: Number
    #: Training samples consumed so far, at least 0.
    samples_seen: Number
    #: Training tokens consumed so far, at least 0.
    num_input_tokens_seen: Number
    #: Wall time of one optimizer step by the monotonic clock of the trainer, above 0. Finite.
    step_time_seconds: Number
    #: Part of the step that waited for data, at least 0. Finite.
    data_time_seconds: Number
    #: Throughput over all ranks, at least 0. Finite.
    tokens_per_second: Number
    #: Throughput over all ranks, at least 0. Finite.
    samples_per_second: Number
    #: Model FLOP utilisation, 0 to 1. Finite.
    mfu: Number
    #: Identifies the batch, so that a bad one can be found again.
    batch_id: str
    #: Identifies the data shard.
    shard_id: str
    #: True for the first step after a start, which pays for compilation and warm caches.
    is_first_step: bool
    #: Training metrics by name, e.g. {"accuracy": 0.4}. May be non-finite.
    metrics: Dict[str, Number]


class MetricDeclaration(TypedDict, total=False):
    """What the trainer knows of one metric before training."""

    #: Name as it appears in metrics maps, e.g. "accuracy".
    name: str
    #: "min" if smaller is better, "max" if larger is better.
    mode: str
    #: True for the metric that the run is for.
    primary: bool
    #: Smallest possible value, in the unit of the metric. Finite.
    lower_bound: Number
    #: Largest possible value, in the unit of the metric. Finite.
    upper_bound: Number
    #: Dataset or split that it is measured on.
    dataset: str
    #: Value that a good run is expected to reach, in the unit of the metric. Finite.
    expected: Number


class Layer(TypedDict, total=False):
    """One layer of the model, declared once in run_started so that later statistics can be read in forward order."""

    #: Name as the framework prints it, e.g. "blocks.3.mlp.fc1".
    name: str
    #: Position in the forward pass, 0 is nearest the input.
    index: Number
    #: What it is: "linear", "conv", "embedding", "norm", "attention", "output", "other". Embeddings and norms are left
    #: out of gradient-ratio rules.
    role: str
    #: False for frozen parameters, which are not expected to change.
    trainable: bool
    #: Inputs per unit, at least 1: scales what a healthy weight standard deviation is.
    fan_in: Number
    #: Activation behind the layer: "relu", "gelu", "tanh", "sigmoid", ...
    activation: str


class RunStarted(TypedDict, total=False):
    """A run, or a new attempt of it, begins. Everything is optional: what is absent narrows what can be judged and is
    reported as NOT CHECKED."""

    #: Group that the run belongs to; a metric label, so of low cardinality.
    project: str
    #: Name for people; the run_id is used where it is absent.
    run_name: str
    #: Model or architecture.
    model_name: str
    #: "classification", "regression", "language_modeling", "gan", "rl", "contrastive", ...
    task: str
    #: Which losses mean what: "supervised", "gan", "rl", "contrastive" or "custom". Derived from task where absent.
    metric_profile: str
    #: Parameters of the model, at least 0.
    num_parameters: Number
    #: Parameters that the optimizer changes, at least 0.
    num_trainable_parameters: Number
    #: Classes of the task, at least 2: gives the chance level ln(num_classes) of cross entropy in nats.
    num_classes: Number
    #: Tokens in the vocabulary, at least 2: the chance level of a language model.
    vocab_size: Number
    #: "cross_entropy", "mse", "nll", ...
    loss_function: str
    #: Direction, bounds and expectation of the metrics.
    metrics: List[MetricDeclaration]
    #: "sgd", "adam", "adamw", ...
    optimizer: str
    #: Largest learning rate of the schedule, at least 0. Finite.
    learning_rate_peak: Number
    #: "constant", "cosine", "linear", "wsd", "step", "cyclic", "warm_restarts", ...
    lr_schedule: str
    #: Optimizer steps of learning-rate warm-up, at least 0.
    warmup_steps: Number
    #: Weight decay coefficient, at least 0. Finite.
    weight_decay: Number
    #: Gradient clipping threshold, above 0. Finite.
    max_grad_norm: Number
    #: "fp32", "tf32", "bf16", "fp16" or "fp8".
    precision: str
    #: Optimizer steps that the run will take, at least 1.
    max_steps: Number
    #: Epochs that the run will take, above 0. Finite.
    max_epochs: Number
    #: Optimizer steps in one epoch, at least 1.
    steps_per_epoch: Number
    #: Samples per optimizer step over all ranks, at least 1.
    global_batch_size: Number
    #: Micro-batches per optimizer step, at least 1.
    gradient_accumulation_steps: Number
    #: Tokens per sample, at least 1.
    sequence_length: Number
    #: Samples in the training set, at least 1.
    train_num_samples: Number
    #: Samples in the evaluation set, at least 1.
    eval_num_samples: Number
    #: How train and evaluation sets were separated: "random", "chronological", "group", ...
    split_strategy: str
    #: Random seed.
    seed: Number
    #: Framework and version, e.g. "pytorch 2.9".
    framework: str
    #: Commit of the training code.
    git_sha: str
    #: Hash of the configuration: equal hashes mean comparable runs.
    config_hash: str
    #: Step of the checkpoint that this attempt continues from, at least 0.
    resumed_from_step: Number
    #: Optimizer steps between two step_completed events, at least 1.
    logging_steps: Number
    #: Optimizer steps between two evaluations, at least 1.
    eval_steps: Number
    #: Optimizer steps between two checkpoints, at least 1.
    save_steps: Number
    #: Layers in forward order.
    layers: List[Layer]
    #: Run to compare this one with.
    reference_run_id: str
    #: Free labels for routing and for configuration rules; at most 32 are kept.
    labels: Dict[str, str]
    #: Settings of detectors for this run alone, e.g. {"loss_plateau.severity": "info"}.
    settings: Dict[str, str]
    #: "on" or "off": whether alerts of this run may page a person.
    paging: str


class PreflightCheck(TypedDict, total=False):
    """Result of one check made before training."""

    #: Name of the check, e.g. "overfit_one_batch_final_loss".
    name: str
    #: Whether it passed; absent where it could not be made.
    passed: bool
    #: What was measured, in the unit that the check names. May be non-finite.
    value: Number
    #: What it was compared with, same unit. Finite.
    threshold: Number
    #: One line for people.
    detail: str


class PreflightCompleted(TypedDict, total=False):
    """Checks that need raw samples or extra fits, made at the trainer before or beside training."""

    #: Results, one per check.
    checks: List[PreflightCheck]


class TensorSummary(TypedDict, total=False):
    """Statistics of one tensor."""

    #: Name of the layer or parameter.
    name: str
    #: What it is.
    kind: str
    #: Elements, at least 0.
    count: Number
    #: NaN and infinite elements, at least 0. The other statistics are over the finite ones.
    nonfinite_count: Number
    #: Mean. May be non-finite.
    mean: Number
    #: Standard deviation, at least 0. May be non-finite.
    std: Number
    #: Mean of absolute values, at least 0. May be non-finite.
    abs_mean: Number
    #: Largest absolute value, at least 0. May be non-finite.
    abs_max: Number
    #: L2 norm, at least 0. May be non-finite.
    l2_norm: Number
    #: Share of elements equal to 0, 0 to 1. Finite.
    zero_fraction: Number
    #: Share of units that were zero for every sample of the window, 0 to 1. Finite.
    dead_unit_fraction: Number
    #: Batches that dead_unit_fraction looked at, at least 1.
    dead_window_batches: Number
    #: Share of elements in the flat part of the activation, 0 to 1. Finite.
    saturated_fraction: Number
    #: 5th percentile. May be non-finite.
    p05: Number
    #: Median. May be non-finite.
    p50: Number
    #: 95th percentile. May be non-finite.
    p95: Number


class TensorStats(TypedDict, total=False):
    """Statistics per tensor, every 100 to 500 steps and on the first 10."""

    #: One entry per tensor and kind.
    tensors: List[TensorSummary]


class Histogram(TypedDict, total=False):
    """Counts between edges."""

    #: Edges, ascending, one more than counts. Finite.
    edges: List[Number]
    #: Samples per bin, at least 0.
    counts: List[Number]


class Sketch(TypedDict, total=False):
    """A serialised quantile sketch."""

    #: "kll" or "tdigest".
    type: str
    #: Serialised form of its library.
    bytes: bytes


class FeatureSummary(TypedDict, total=False):
    """Statistics of one input feature in one batch or window of batches."""

    #: Name of the feature.
    name: str
    #: "numeric" or "categorical"; numeric where absent.
    kind: str
    #: Values, missing ones included, at least 0.
    count: Number
    #: Missing values, at least 0.
    missing_count: Number
    #: NaN values, at least 0.
    nan_count: Number
    #: Infinite values, at least 0.
    inf_count: Number
    #: Mean of the finite values. May be non-finite.
    mean: Number
    #: Standard deviation of the finite values, at least 0. May be non-finite.
    std: Number
    #: Smallest finite value. May be non-finite.
    min: Number
    #: Largest finite value. May be non-finite.
    max: Number
    #: Counts between edges that stay the same within a phase.
    histogram: Histogram
    #: Counts of the most frequent values of a categorical feature; the rest under "other".
    top_values: Dict[str, Number]
    #: Quantile sketch, where edges are not known beforehand.
    sketch: Sketch


class BatchStats(TypedDict, total=False):
    """Statistics of the inputs and labels of a batch or window of batches."""

    #: "train", "val", "test" or a name; "train" where absent.
    split: str
    #: Samples looked at, at least 0.
    num_samples: Number
    #: One entry per feature.
    features: List[FeatureSummary]
    #: Samples per label.
    label_histogram: Dict[str, Number]
    #: Mean label of a regression. May be non-finite.
    label_mean: Number
    #: Standard deviation of the labels, at least 0. May be non-finite.
    label_std: Number
    #: Labels outside the declared classes, at least 0.
    out_of_range_label_count: Number
    #: Share of samples that are all zero (near black, for images), 0 to 1. Finite.
    all_zero_sample_fraction: Number
    #: Share of padding tokens, 0 to 1. Finite.
    padding_fraction: Number
    #: Samples seen before in this epoch, at least 0.
    duplicate_count: Number


class ClassCounts(TypedDict, total=False):
    """Confusion of one class against the rest."""

    #: Samples of the class, at least 0.
    support: Number
    #: True positives, at least 0.
    tp: Number
    #: False positives, at least 0.
    fp: Number
    #: False negatives, at least 0.
    fn: Number


class PredictionStats(TypedDict, total=False):
    """What the model predicted over a batch or window of batches."""

    #: "train", "val", "test" or a name; "train" where absent.
    split: str
    #: Predictions looked at, at least 0.
    num_samples: Number
    #: Predictions per class.
    predicted_class_histogram: Dict[str, Number]
    #: True labels of the same samples.
    label_histogram: Dict[str, Number]
    #: Probabilities of the predicted class.
    confidence_histogram: Histogram
    #: Mean prediction of a regression. May be non-finite.
    mean: Number
    #: Standard deviation of the predictions, at least 0. May be non-finite.
    std: Number
    #: Mean entropy of the predicted distributions, nats, at least 0. May be non-finite.
    entropy_mean: Number
    #: Confusion of the most frequent classes.
    per_class: Dict[str, ClassCounts]
    #: Mean cosine between embeddings of different samples, -1 to 1. May be non-finite.
    pairwise_cosine_mean: Number


class EvaluationCompleted(TypedDict, total=False):
    """One evaluation on held-out data."""

    #: Name of the dataset; the split where absent.
    dataset: str
    #: "val", "test" or a name; "val" where absent.
    split: str
    #: Segment of the dataset, where metrics are of a part of it.
    slice: str
    #: Samples evaluated, at least 1: gives the standard error of a rate.
    num_samples: Number
    #: Metrics by name; "loss" is the evaluation loss. May be non-finite.
    metrics: Dict[str, Number]
    #: Standard error of the metrics, same units, at least 0. Finite.
    metric_std_error: Dict[str, Number]
    #: Training loss measured in evaluation mode on training data, for a fair gap. May be non-finite.
    train_loss_same_mode: Number
    #: Wall time of the evaluation, at least 0. Finite.
    duration_seconds: Number
    #: "eval" or "train".
    model_mode: str


class SectionTime(TypedDict, total=False):
    """Time of one section of a step over a report."""

    #: Median, at least 0. Finite.
    p50_seconds: Number
    #: 99th percentile, at least 0. Finite.
    p99_seconds: Number
    #: Steps in the report, at least 1.
    count: Number


class StepProfile(TypedDict, total=False):
    """Where one rank spends its time and how busy its device is, every 50 steps or so."""

    #: Median wall time of a step, above 0. Finite.
    step_time_seconds: Number
    #: Sections: "data_loading", "forward", "backward", "optimizer", "communication", "checkpoint".
    sections: Dict[str, SectionTime]
    #: Median compute-only time of a step, before collectives, above 0. Finite.
    compute_time_seconds: Number
    #: Share of time in which the device was busy, 0 to 1. Finite.
    gpu_utilization_fraction: Number
    #: Device memory in use, at least 0.
    gpu_memory_used_bytes: Number
    #: Device memory, above 0.
    gpu_memory_total_bytes: Number
    #: Temperature of the device. Finite.
    gpu_temperature_celsius: Number


class Heartbeat(TypedDict, total=False):
    """Sign of life from a thread of its own, every interval_seconds, training or not."""

    #: Last completed optimizer step, at least 0.
    last_step: Number
    #: "init", "train", "evaluation", "checkpoint", "compile" or "idle".
    phase: str
    #: When the phase began, epoch milliseconds by the trainer.
    phase_started_ms: Number
    #: Age of the producer session, at least 0. Finite.
    uptime_seconds: Number
    #: Promised time to the next heartbeat, above 0. Finite.
    interval_seconds: Number
    #: Events that this producer session had to drop so far, at least 0.
    dropped_events: Number
    #: Events that wait on disk for the broker, at least 0.
    spooled_events: Number


class Change(TypedDict, total=False):
    """One declared change."""

    #: Value before, as text.
    before: str
    #: Value after, as text.
    after: str


class PhaseChanged(TypedDict, total=False):
    """The trainer declares that conditions change: data mix, sequence length, batch size, loss weights, unfreezing. The
    envelope carries the new phase_id."""

    #: Why, e.g. "sequence_length".
    reason: str
    #: What changed.
    changed: Dict[str, Change]


class RankFingerprint(TypedDict, total=False):
    """Fingerprint of the parameters of one rank: data-parallel ranks must agree at equal step."""

    #: Sum over a fixed subset of the parameters, computed in fp64. May be non-finite.
    fingerprint: Number
    #: L2 norm of the same subset, at least 0. May be non-finite.
    parameter_norm: Number


class CheckpointSaved(TypedDict, total=False):
    """A checkpoint was written."""

    #: Where it is.
    path: str
    #: Wall time of the save, at least 0. Finite.
    duration_seconds: Number
    #: Size, at least 0.
    size_bytes: Number
    #: Whether training can resume from it without an optimizer reset.
    optimizer_state_included: bool
    #: Metrics of the model that was saved. May be non-finite.
    metrics: Dict[str, Number]


class CheckpointLoaded(TypedDict, total=False):
    """Training continues from a checkpoint; the envelope carries its step."""

    #: Where it is.
    path: str
    #: Wall time of the load, at least 0. Finite.
    duration_seconds: Number
    #: Whether the optimizer state was restored.
    optimizer_state_included: bool


class RunFinished(TypedDict, total=False):
    """The run, or this attempt of it, ends."""

    #: How it ended.
    status: str
    #: Exit code of the process.
    exit_code: Number
    #: Class of the error, e.g. "OutOfMemoryError".
    error_type: str
    #: First line of the error.
    error_message: str
    #: Final metrics. May be non-finite.
    metrics: Dict[str, Number]
    #: Events that this producer session had to drop, at least 0.
    dropped_events: Number


class CommandAcknowledged(TypedDict, total=False):
    """What the trainer did about a command."""

    #: The command.
    command_id: str
    #: What it asked for.
    action: str
    #: What became of it.
    outcome: str
    #: One line for people, e.g. why it was refused.
    detail: str


class StepDetails(TypedDict, total=False):
    """What can be said beside the arguments of the method."""

    #: What the loss is a mean over: "global_mean", "rank_mean" or "micro_batch".
    loss_reduction: str
    #: Optimizer steps that this event averages, at least 1; 1 where absent.
    window_steps: Number
    #: Component losses by name, e.g. {"box_loss": 1.2}. May be non-finite.
    losses: Dict[str, Number]
    #: NaN and infinite elements seen in loss, weights and activations since the last event, at least 0.
    nonfinite_count: Number
    #: The same after clipping, at least 0. May be non-finite.
    grad_norm_clipped: Number
    #: Learning rate per parameter group, at least 0. Finite.
    learning_rates: Dict[str, Number]
    #: Loss scale of mixed precision, above 0. Finite.
    loss_scale: Number
    #: True if the optimizer step was skipped (mixed-precision overflow).
    optimizer_step_skipped: bool
    #: L2 norm of the update over L2 norm of the weights, at least 0. May be non-finite.
    update_to_weight_ratio: Number
    #: Global L2 norm of the weights, at least 0. May be non-finite.
    param_norm: Number
    #: Training samples consumed so far, at least 0.
    samples_seen: Number
    #: Training tokens consumed so far, at least 0.
    num_input_tokens_seen: Number
    #: Wall time of one optimizer step by the monotonic clock of the trainer, above 0. Finite.
    step_time_seconds: Number
    #: Part of the step that waited for data, at least 0. Finite.
    data_time_seconds: Number
    #: Throughput over all ranks, at least 0. Finite.
    tokens_per_second: Number
    #: Throughput over all ranks, at least 0. Finite.
    samples_per_second: Number
    #: Model FLOP utilisation, 0 to 1. Finite.
    mfu: Number
    #: Identifies the batch, so that a bad one can be found again.
    batch_id: str
    #: Identifies the data shard.
    shard_id: str
    #: True for the first step after a start, which pays for compilation and warm caches.
    is_first_step: bool
    #: Epochs completed, fractions allowed, at least 0. Finite.
    epoch: Number


class EvaluationDetails(TypedDict, total=False):
    """What can be said beside the arguments of the method."""

    #: Name of the dataset; the split where absent.
    dataset: str
    #: "val", "test" or a name; "val" where absent.
    split: str
    #: Segment of the dataset, where metrics are of a part of it.
    slice: str
    #: Samples evaluated, at least 1: gives the standard error of a rate.
    num_samples: Number
    #: Standard error of the metrics, same units, at least 0. Finite.
    metric_std_error: Dict[str, Number]
    #: Training loss measured in evaluation mode on training data, for a fair gap. May be non-finite.
    train_loss_same_mode: Number
    #: Wall time of the evaluation, at least 0. Finite.
    duration_seconds: Number
    #: "eval" or "train".
    model_mode: str
    #: Epochs completed, fractions allowed, at least 0. Finite.
    epoch: Number


class CheckpointSavedDetails(TypedDict, total=False):
    """What can be said beside the arguments of the method."""

    #: Wall time of the save, at least 0. Finite.
    duration_seconds: Number
    #: Size, at least 0.
    size_bytes: Number
    #: Whether training can resume from it without an optimizer reset.
    optimizer_state_included: bool
    #: Metrics of the model that was saved. May be non-finite.
    metrics: Dict[str, Number]


class CheckpointLoadedDetails(TypedDict, total=False):
    """What can be said beside the arguments of the method."""

    #: Wall time of the load, at least 0. Finite.
    duration_seconds: Number
    #: Whether the optimizer state was restored.
    optimizer_state_included: bool
