"""Metrics of the best epoch; loading weights is tested with the program that does it (tests/test_convert.py)."""

import pytest

from kws_tf.training import trained_run
from kws_tf.training.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path)
    rows = [(1, 0.5, 0.9, 1.0, 0.1), (2, 0.9, 0.6, 0.8, 0.1), (3, 0.9, 0.7, 0.4, 0.3), (4, 0.2, 0.1, float("nan"), 0.9)]
    found.write_history([{"epoch": epoch, "val_accuracy": accuracy, "val_balanced_accuracy": balanced, "val_loss": loss,
                          "val_recall_area": area} for epoch, accuracy, balanced, loss, area in rows])
    return found


@pytest.mark.parametrize(("monitor", "epoch"), [("accuracy", 2), ("balanced_accuracy", 1), ("loss", 3), ("recall_area", 3)])
def test_the_best_epoch_is_that_of_the_monitor_and_a_tie_keeps_the_earlier(folder, monitor, epoch):
    found = trained_run.best_metrics(folder, monitor)
    assert found["epoch"] == epoch and set(found) == {
        "epoch", *(f"validation_{name}" for name in ("accuracy", "balanced_accuracy", "loss", monitor))}


def test_without_a_history_there_are_no_metrics(tmp_path):
    assert trained_run.best_metrics(RunFolder(tmp_path), "accuracy") == {}
    (tmp_path / "history.csv").write_text("a,b\n1,2\n")
    assert trained_run.best_metrics(RunFolder(tmp_path), "accuracy") == {}
