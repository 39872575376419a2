"""Which epoch was best, and since when nothing has become better."""

import math


class Monitor:
    """Follows one validation metric over the epochs: picks the best checkpoint, stops early, and times the falls of "plateau".

    Args:
        metric: "accuracy", "balanced_accuracy", "recall_area" (higher is better) or "loss" (lower is better).
        patience: epochs without a better value until `exhausted`; 0 for never.
        free_epochs: first epochs that do not count as stale (the warm-up).

    State (dict `state`, plain JSON values): best, best_epoch, epoch, stale. Epochs count from 1.
    """

    def __init__(self, metric, patience=0, free_epochs=0.0):
        self.metric = metric
        self.patience = patience
        self.free_epochs = free_epochs
        self.state = {"best": None, "best_epoch": 0, "epoch": 0, "stale": 0}

    def update(self, values):
        """Takes the metrics of the next epoch and returns whether it is the best so far. A tie keeps the earlier epoch."""
        state = self.state
        value = values[self.metric]
        state["epoch"] += 1
        best = state["best"]
        if best is None:
            better = math.isfinite(value)
        else:
            better = value < best if self.metric == "loss" else value > best
        if better:
            state.update(best=value, best_epoch=state["epoch"], stale=0)
        elif state["epoch"] > self.free_epochs:
            state["stale"] += 1
        return better

    @property
    def stale(self):
        """Epochs since the best one, the first `free_epochs` not counted."""
        return self.state["stale"]

    @property
    def exhausted(self):
        """Whether `patience` epochs have brought nothing better."""
        return 0 < self.patience <= self.state["stale"]
