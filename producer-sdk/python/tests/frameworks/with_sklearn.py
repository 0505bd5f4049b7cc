"""partial_fit of scikit-learn."""

import problems
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network import MLPClassifier

import trainwatch.sklearn

for fault in ("plateau", "overfit"):
    if fault == "overfit":
        estimator = MLPClassifier(hidden_layer_sizes=(256,), learning_rate_init=3e-3, alpha=0.0, random_state=0)
    else:
        estimator = SGDRegressor(eta0=3e-4, learning_rate="constant", random_state=0)
    watch = trainwatch.sklearn.watch(
        estimator,
        problems.validation(fault),
        every=problems.EVERY,
        run_id="sklearn-" + fault,
        max_steps=problems.STEPS[fault],
    )
    x, y = problems.samples(fault)
    for _ in range(problems.epochs(fault)):
        for begin in range(0, len(x), problems.BATCH[fault]):
            targets = y[begin : begin + problems.BATCH[fault]]
            more = {"classes": [0, 1]} if fault == "overfit" else {}
            watch.partial_fit(x[begin : begin + problems.BATCH[fault]], targets, **more)
    watch.close()
