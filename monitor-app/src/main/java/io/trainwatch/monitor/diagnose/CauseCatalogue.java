package io.trainwatch.monitor.diagnose;

import static io.trainwatch.monitor.diagnose.CauseRule.cause;

import java.util.List;

/**
 * Every cause that is known, one entry each: what it explains, what speaks for and against it, what to do, and what to
 * measure to be sure. Table of DETECTION.md 6; where two of its rows have one cause they are one entry here. Weights are
 * judgement: 0.3 and more for what is nearly the cause itself, 0.1 to 0.2 for what is usual with it.
 */
final class CauseCatalogue {
    private CauseCatalogue() {}

    static final List<CauseRule> RULES = List.of(
            cause("learning_rate_too_high", "The learning rate is too high")
                    .explains(0.3, "loss_divergence", "exploding_gradient", "learning_rate_too_high")
                    .explains(0.2, "non_finite_loss", "non_finite_gradient", "loss_spike")
                    .explains(
                            0.1, "not_learning", "loss_plateau", "dead_units", "saturated_units", "prediction_collapse")
                    .explains(0.1, "train_val_divergence", "metric_drift", "worse_than_reference")
                    .clue("learning_rate_large", 0.4)
                    .clue("learning_rate_rising", 0.3)
                    .clue("learning_rate_too_high", 0.4)
                    .clue("gradient_growth", 0.3)
                    .clue("loss_growth", 0.2)
                    .clue("exploding_gradient", 0.15)
                    .clue("loss_divergence", 0.1)
                    .clue("no_clipping", 0.05)
                    .clue("learning_rate_small", -0.4)
                    .clue("learning_rate_gone", -0.4)
                    .clue("gradient_failed_first", -0.2)
                    .clue("non_finite_input", -0.5)
                    .clue("phase_changed", -0.15)
                    .clue("resumed", -0.15)
                    .clue("feature_drift", -0.15)
                    .clue("unchanged_weights", -0.3)
                    .clue("abnormal_weights", -0.3)
                    .fix(
                            "Go back to {checkpoint} with a third of the learning rate: {learning_rate} -> {learning_rate/3}.")
                    .fix("Lower the learning rate of {learning_rate}: to {learning_rate/10} for a new run, to"
                            + " {learning_rate/3} in the middle of one.")
                    .fix("Clip the gradient norm at 1.0 and warm up longer.")
                    .check(
                            "Run 200 steps from the same point with a tenth of the learning rate: if it stays calm, it was"
                                    + " the rate."),
            cause("non_finite_input_batch", "A batch with NaN or Inf in its inputs")
                    .explains(0.1, "non_finite_loss", "non_finite_gradient")
                    .explains(0.6, "non_finite_input")
                    .clue("non_finite_input", 0.7)
                    .clue("sudden", 0.1)
                    .clue("abnormal_input", 0.1)
                    .clue("feature_drift", 0.1)
                    .clue("learning_rate_large", -0.1)
                    .clue("learning_rate_rising", -0.1)
                    .clue("early", -0.05)
                    .fix("Find the batch of step {onset} and drop or impute its non-finite values.")
                    .fix("Guard the normaliser against a standard deviation of 0.")
                    .fix("Go back to {checkpoint}.")
                    .check("Feed the batch of the onset to the checkpoint before it with isfinite() on the inputs."),
            cause("undefined_operation", "An operation without a finite result: log(0), 0/0, an overflow in one layer")
                    .explains(0.25, "non_finite_loss")
                    .explains(0.15, "non_finite_gradient")
                    .clue("gradient_failed_first", 0.4)
                    .clue("gradient_steady", 0.2)
                    .clue("sudden", 0.1)
                    .clue("gradient_growth", -0.1)
                    .clue("learning_rate_rising", -0.15)
                    .clue("non_finite_input", -0.3)
                    .fix(
                            "Use log_softmax or logsumexp, add 1e-8 inside logarithms, roots and divisions, clamp probabilities.")
                    .fix("Compute softmax, norms and losses in fp32.")
                    .fix("Go back to {checkpoint}.")
                    .check(
                            "Repeat the step of the onset under anomaly detection (torch.autograd.set_detect_anomaly): it names"
                                    + " the operation."),
            cause("loss_scale_search", "The loss scaler looks for its scale: no fault")
                    .explains(0.05, "non_finite_gradient")
                    .clue("fp16", 0.4)
                    .clue("early", 0.15)
                    .clue("loss_divergence", -0.3)
                    .clue("loss_growth", -0.2)
                    .fix("Nothing, as long as few steps are skipped.")
                    .check("Watch the share of skipped steps: above 5 % after the first hundred it is a fault."),
            cause("fp16_range", "Values leave the range of fp16")
                    .explains(0.0, "non_finite_gradient", "non_finite_loss", "loss_divergence")
                    .clue("fp16", 0.4)
                    .clue("non_finite_gradient", 0.05)
                    .clue("loss_growth", 0.1)
                    .clue("early", -0.1)
                    .fix("Train in bf16, or keep softmax, norms and the loss in fp32.")
                    .fix("Go back to {checkpoint} with a lower learning rate.")
                    .check("Log the largest activation of each layer: one beyond 65,504 is the overflow."),
            cause("bad_batch", "A bad batch, or one that met a stale second moment of the optimizer")
                    .explains(0.35, "loss_spike")
                    .explains(0.15, "exploding_gradient")
                    .explains(0.1, "loss_divergence", "non_finite_loss")
                    .clue("sudden", 0.2)
                    .clue("exploding_gradient", 0.1)
                    .clue("loss_spike", 0.1)
                    .clue("abnormal_input", 0.2)
                    .clue("loss_divergence", -0.2)
                    .clue("feature_drift", -0.15)
                    .clue("learning_rate_rising", -0.15)
                    .clue("learning_rate_large", -0.1)
                    .clue("early", -0.15)
                    .clue("resumed", -0.2)
                    .clue("phase_changed", -0.2)
                    .fix("Nothing if the loss is back within 100 steps.")
                    .fix("Look at the batch of step {onset}: duplicated, truncated, mislabelled, of another source?")
                    .fix("If it does not come back: go back to {checkpoint} and skip the 200 to 500 batches around it.")
                    .fix("Clip the gradient norm, or lower the second beta of Adam to 0.95.")
                    .check(
                            "Replay the batch of the onset on an earlier checkpoint: if its loss is high there too, it is the"
                                    + " batch."),
            cause("data_switch", "Another part of the data began")
                    .explains(0.1, "loss_spike", "loss_divergence", "feature_drift", "label_drift", "prediction_drift")
                    .explains(0.1, "throughput_drop", "metric_drift", "worse_than_reference")
                    .clue("phase_changed", 0.6)
                    .clue("feature_drift", 0.1)
                    .fix("Look at what begins at step {onset}: another shard, source, mixture or sequence length?")
                    .fix("Blend sources instead of switching.")
                    .check("Compare the loss per source before and after the switch."),
            cause("state_not_restored", "The optimizer, scheduler or data position was not restored at the resume")
                    .explains(
                            0.0, "loss_spike", "loss_divergence", "exploding_gradient", "feature_drift", "label_drift")
                    .explains(0.1, "worse_than_reference")
                    .clue("resumed", 0.7)
                    .fix("Save and load the optimizer, the schedule, the scaler, the RNG and the position in the data.")
                    .fix("Warm the learning rate up again over 100 steps.")
                    .check(
                            "Compare the learning rate and the norm of the optimizer's state before and after the resume."),
            cause("vanishing_gradient", "The gradient vanishes on its way to the first layers")
                    .explains(0.4, "vanishing_gradient")
                    .explains(0.1, "not_learning", "loss_plateau", "saturated_units", "prediction_collapse")
                    .clue("vanishing_gradient", 0.5)
                    .clue("saturated_units", 0.2)
                    .clue("loss_at_chance", 0.05)
                    .clue("dead_units", -0.3)
                    .clue("learning_rate_gone", -0.3)
                    .fix("Replace sigmoid and tanh by ReLU or GELU; add residual connections and normalisation.")
                    .fix("Initialise after He or Glorot.")
                    .check("Plot the mean absolute gradient by layer: it falls by the same factor at each one."),
            cause(
                            "labels_do_not_match_inputs",
                            "The labels do not belong to the inputs, or the loss does not belong to the task")
                    .explains(0.2, "not_learning")
                    .explains(0.15, "loss_plateau", "metric_mismatch")
                    .explains(0.05, "train_val_divergence", "prediction_collapse")
                    .explains(0.2, "worse_than_reference")
                    .clue("loss_at_chance", 0.15)
                    .clue("gradient_steady", 0.1)
                    .clue("validation_at_chance", 0.3)
                    .clue("validation_learned", -0.4)
                    .clue("preflight_failed", 0.1)
                    .clue("vanishing_gradient", -0.3)
                    .clue("dead_units", -0.3)
                    .clue("unchanged_weights", -0.4)
                    .clue("learning_rate_gone", -0.3)
                    .clue("learning_rate_small", -0.3)
                    .clue("learning_rate_large", -0.3)
                    .clue("abnormal_weights", -0.2)
                    .clue("loss_growth", -0.1)
                    .clue("training_falls", -0.05)
                    .fix("Check that inputs and labels are joined by row and shuffled together.")
                    .fix("Overfit 16 samples: if the loss does not reach 0, it is the model or the loss function.")
                    .check("Look at 20 samples with their labels as the model gets them."),
            cause(
                            "parameters_not_updated",
                            "The parameters are not updated: frozen, not in the optimizer, or step() is missing")
                    .explains(0.15, "not_learning", "loss_plateau")
                    .explains(0.5, "unchanged_weights")
                    .clue("unchanged_weights", 0.6)
                    .clue("learning_rate_gone", -0.2)
                    .clue("learning_rate_annealed", -0.4)
                    .clue("validation_learned", -0.2)
                    .clue("training_falls", -0.2)
                    .clue("dead_units", -0.1)
                    .clue("vanishing_gradient", -0.1)
                    .fix("List the parameter groups of the optimizer and requires_grad of each parameter.")
                    .fix("Check that optimizer.step() runs after backward() and before zero_grad().")
                    .check("Compare one weight before and after a step."),
            cause("schedule_ended", "The schedule took the learning rate to nothing too early")
                    .explains(0.05, "loss_plateau", "unchanged_weights", "not_learning", "learning_rate_too_low")
                    .clue("learning_rate_gone", 0.8)
                    .fix("Check the length of the schedule: steps or epochs, before or after gradient accumulation?")
                    .fix("Resume with the learning rate that it had.")
                    .check("Plot the learning rate over the whole run."),
            cause("learning_rate_too_low", "The learning rate is too low")
                    .explains(0.15, "not_learning", "loss_plateau", "worse_than_reference")
                    .explains(0.5, "learning_rate_too_low")
                    .clue("learning_rate_small", 0.5)
                    .clue("learning_rate_too_low", 0.3)
                    .clue("gradient_steady", 0.05)
                    .clue("learning_rate_large", -0.4)
                    .clue("learning_rate_gone", -0.2)
                    .clue("unchanged_weights", -0.2)
                    .clue("dead_units", -0.2)
                    .clue("vanishing_gradient", -0.2)
                    .clue("validation_at_chance", -0.05)
                    .fix("Raise the learning rate tenfold: {learning_rate} -> {learning_rate*10}.")
                    .fix("Check whether the schedule counts epochs where it should count steps.")
                    .check("Try ten times the rate for 200 steps: the loss should fall visibly faster."),
            cause("dead_units", "Units died: their ReLU is never active")
                    .explains(0.4, "dead_units")
                    .explains(0.05, "not_learning", "loss_plateau", "prediction_collapse", "vanishing_gradient")
                    .clue("dead_units", 0.6)
                    .clue("exploding_gradient", 0.05)
                    .fix("Lower the learning rate; use leaky ReLU or GELU.")
                    .fix("Normalise the inputs and check the initial biases.")
                    .check("Count the units that are zero for every sample of ten batches, by layer."),
            cause("unnormalised_input", "The inputs are not normalised")
                    .explains(0.3, "abnormal_input")
                    .explains(
                            0.05,
                            "not_learning",
                            "exploding_gradient",
                            "non_finite_loss",
                            "abnormal_weights",
                            "dead_units")
                    .clue("abnormal_input", 0.5)
                    .clue("initial_gradient_large", 0.1)
                    .clue("initial_loss_high", 0.05)
                    .fix(
                            "Standardise the inputs to mean 0 and standard deviation 1, with the figures of the training set.")
                    .check("Print mean and standard deviation of one batch as the model gets it."),
            cause("weight_initialisation", "The weights were initialised badly")
                    .explains(0.4, "abnormal_weights")
                    .explains(0.05, "not_learning", "exploding_gradient", "non_finite_loss", "vanishing_gradient")
                    .explains(0.05, "dead_units", "saturated_units", "loss_divergence")
                    .clue("abnormal_weights", 0.5)
                    .clue("initial_loss_high", 0.2)
                    .clue("initial_gradient_large", 0.15)
                    .clue("learning_rate_large", -0.1)
                    .fix(
                            "Initialise after He for ReLU and after Glorot for tanh; small or zero in the last layer of a branch.")
                    .check("Compare the standard deviation of each layer with 1 / sqrt(fan_in)."),
            cause("overfitting", "The model memorises the training set")
                    .explains(0.5, "train_val_divergence")
                    .explains(0.2, "metric_drift", "metric_mismatch", "suspicious_validation")
                    .clue("training_falls", 0.1)
                    .clue("validation_learned", 0.2)
                    .clue("feature_drift", -0.3)
                    .clue("label_drift", -0.3)
                    .clue("phase_changed", -0.2)
                    .clue("validation_at_chance", -0.2)
                    .clue("learning_rate_large", -0.1)
                    .fix("Stop at the best evaluation and keep that checkpoint.")
                    .fix("More data, augmentation, dropout of 0.2 to 0.5, weight decay of 0.01.")
                    .check("Train on twice the data: the gap should close."),
            cause("under_capacity", "The model is too small or regularised too much")
                    .explains(0.1, "loss_plateau", "not_learning")
                    .clue("gradient_steady", 0.05)
                    .clue("validation_learned", 0.1)
                    .clue("loss_at_chance", -0.1)
                    .clue("learning_rate_gone", -0.3)
                    .clue("unchanged_weights", -0.3)
                    .fix("A larger model, less dropout and weight decay, longer training.")
                    .check("Train without regularisation: the training loss should go below its floor."),
            cause("leakage", "The evaluation set leaks into training")
                    .explains(0.5, "suspicious_validation")
                    .explains(0.2, "preflight_failed")
                    .clue("preflight_failed", 0.3)
                    .fix("Look for samples, users or sources that both sets share; split by time or group.")
                    .fix("Fit scalers and encoders on the training set alone.")
                    .check(
                            "Hash the samples of both sets and count the overlap; fit a tree of depth 1 on each feature."),
            cause("class_imbalance", "Classes are imbalanced")
                    .explains(0.3, "prediction_collapse")
                    .explains(0.5, "class_imbalance")
                    .explains(0.15, "metric_mismatch")
                    .clue("class_imbalance", 0.5)
                    .clue("label_drift", -0.1)
                    .fix("Weight the classes or resample; report F1 or PR-AUC instead of accuracy.")
                    .fix("Move the decision threshold.")
                    .check("Compare the confusion matrix with the share of each class in the labels."),
            cause("collapse_after_instability", "The model did not recover from an instability")
                    .explains(0.0, "prediction_collapse", "not_learning", "loss_plateau", "dead_units", "metric_drift")
                    .clue("loss_spike", 0.3)
                    .clue("exploding_gradient", 0.25)
                    .clue("loss_divergence", 0.25)
                    .clue("non_finite_loss", 0.5)
                    .fix("Go back to {checkpoint}, from before the instability.")
                    .fix("Clip the gradient norm and lower the learning rate.")
                    .check("Evaluate the checkpoints around the instability."),
            cause("data_source_changed", "The data changed: a source, a unit or the pipeline")
                    .explains(0.5, "feature_drift", "prediction_drift")
                    .explains(0.1, "loss_spike", "loss_divergence", "metric_drift", "train_val_divergence")
                    .explains(0.2, "abnormal_input")
                    .clue("feature_drift", 0.4)
                    .clue("label_drift", -0.1)
                    .clue("phase_changed", -0.1)
                    .clue("resumed", -0.1)
                    .fix("Compare the version of the data pipeline before and after step {onset}.")
                    .fix("Check units, scaling and missing values of the features that moved.")
                    .check("Run the samples of before through the pipeline of now and compare."),
            cause("data_not_shuffled", "The data is not shuffled, or the share of the classes changed")
                    .explains(0.5, "label_drift")
                    .explains(
                            0.1,
                            "prediction_drift",
                            "loss_spike",
                            "loss_divergence",
                            "train_val_divergence",
                            "metric_drift")
                    .clue("label_drift", 0.4)
                    .clue("feature_drift", -0.1)
                    .fix("Shuffle across the whole set; check that the sampler gets the epoch.")
                    .fix("If the share of the classes really changed: weight the loss by the new one.")
                    .check("Print the labels of ten consecutive batches."),
            cause("slow_data_loading", "The data loader does not keep up")
                    .explains(0.5, "input_bottleneck")
                    .explains(0.15, "throughput_drop")
                    .clue("input_bottleneck", 0.4)
                    .fix("More loader workers, pinned memory, deeper prefetch.")
                    .fix("Cache or pre-process the data on a local disk.")
                    .check("Run 100 steps on one batch that stays in memory: the difference is the loader."),
            cause("slow_host", "One host or GPU is slow")
                    .explains(0.6, "straggler_rank")
                    .explains(0.15, "throughput_drop")
                    .clue("straggler_rank", 0.4)
                    .clue("input_bottleneck", -0.1)
                    .fix("Check clocks, temperature, ECC errors and neighbours of {scope}; drain it.")
                    .check("Swap the rank to another host: a fault of the hardware stays behind."),
            cause("slow_network", "Communication is slow")
                    .explains(0.2, "throughput_drop")
                    .explains(0.1, "straggler_rank", "stalled_run")
                    .clue("input_bottleneck", -0.15)
                    .clue("straggler_rank", -0.1)
                    .fix("Run the collective tests of the vendor (nccl-tests) between the hosts.")
                    .check("Compare the time of communication with that of computation, by rank."),
            cause("machine_slower", "The machine became slower: other jobs, heat, memory")
                    .explains(0.2, "throughput_drop")
                    .clue("input_bottleneck", -0.15)
                    .clue("straggler_rank", -0.1)
                    .clue("phase_changed", -0.1)
                    .fix("Look for other jobs on the host, throttled clocks, swapping, growing memory.")
                    .check("Run the same step on an idle machine."),
            cause("process_gone", "The process or its host is gone")
                    .explains(0.35, "stalled_run")
                    .clue("process_lives", -0.35)
                    .clue("heartbeats_stopped", 0.3)
                    .fix("Look at the scheduler and the kernel's log: killed for memory, pre-empted, node lost?")
                    .fix("Restart from {checkpoint}.")
                    .check("Ask the scheduler whether the job is alive."),
            cause("deadlock", "The job hangs: a collective, a loader worker or a file system that does not answer")
                    .explains(0.3, "stalled_run")
                    .clue("process_lives", 0.4)
                    .clue("heartbeats_stopped", -0.2)
                    .fix("Take the stacks of all ranks (py-spy dump) before restarting.")
                    .fix("Set a timeout on collectives; try evaluation with num_workers=0.")
                    .fix("Restart from {checkpoint}.")
                    .check("A rank whose stack differs from the others is the one that they wait for."),
            cause("annealing_finished", "The schedule has come to its end: nothing is wrong")
                    .explains(0.05, "loss_plateau", "unchanged_weights")
                    .clue("learning_rate_annealed", 0.8)
                    .fix("Nothing.")
                    .check("The learning rate is near 0 and the run near its last step."),
            cause("silent_desync", "Ranks have drifted apart: a fault of hardware, framework or parallelism")
                    .explains(0.7, "rank_desync")
                    .fix("Stop; restore {checkpoint} on all ranks.")
                    .fix("Check that every rank shares seeds, buffers and the parameters of norms.")
                    .check("Compare a hash of the parameters of all ranks after one step from the same checkpoint."),
            cause("telemetry_lost", "The telemetry is lost, not the training")
                    .explains(0.6, "telemetry_gap")
                    .explains(0.1, "stalled_run")
                    .clue("telemetry_gap", 0.3)
                    .fix("Check the network between trainer and broker, and the queue and spool sizes of the SDK.")
                    .check("Compare the trainer's own log with the last event that came."),
            cause("concept_changed", "What the inputs mean has changed")
                    .explains(0.2, "metric_drift", "metric_mismatch")
                    .clue("feature_drift", -0.1)
                    .clue("label_drift", -0.05)
                    .fix("Evaluate on old and on new data apart; retrain with the new.")
                    .check("The metric on the data of before, with the model of now."),
            cause("wrong_objective", "The loss is not what the metric measures")
                    .explains(0.3, "metric_mismatch")
                    .clue("class_imbalance", 0.1)
                    .fix("Choose a loss closer to the metric, or a threshold that is fitted on the validation set.")
                    .check("Plot the metric against the loss over the evaluations."),
            cause("differs_from_reference", "Something in code, data or configuration is not as in the reference run")
                    .explains(0.4, "worse_than_reference")
                    .clue("resumed", -0.1)
                    .clue("learning_rate_too_high", -0.1)
                    .fix(
                            "Compare git_sha, configuration, data version, batch size and schedule with those of the reference.")
                    .fix("Look at what changed at step {onset} if the curves were alike until then.")
                    .check(
                            "Run the reference's code and configuration for the same steps: if it is worse too, it is the data"
                                    + " or the machine."),
            cause("preflight", "A check before the training failed")
                    .explains(0.5, "preflight_failed")
                    .fix("Settle the failed check before spending more GPU time.")
                    .check("Run the check again after the change."));
}
