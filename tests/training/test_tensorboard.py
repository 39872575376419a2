import sys

import pytest

from kws_tf.errors import ConfigError
from kws_tf.training.tensorboard import TensorBoardWriter

ROWS = [{"epoch": epoch, "lr": 0.1 / epoch, "loss": 1 / epoch, "accuracy": 0.5, "val_loss": 2 / epoch, "val_accuracy": 0.4,
         "val_balanced_accuracy": 0.3, "seconds": 7.5} for epoch in (1, 2)]


def test_rows_become_scalars(tmp_path):
    tf = pytest.importorskip("tensorflow")
    writer = TensorBoardWriter(tmp_path / "tensorboard")
    assert not (tmp_path / "tensorboard").exists()
    for row in ROWS:
        writer(row)
    found = {}
    for path in (tmp_path / "tensorboard").iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert found["validation/loss", 2] == pytest.approx(1.0)
    assert found["learning_rate", 1] == pytest.approx(0.1)
    assert {tag for tag, _ in found} == {"learning_rate", "epoch_seconds", "training/loss", "training/accuracy", "validation/loss",
                                         "validation/accuracy", "validation/balanced_accuracy"}


def test_without_tensorflow_the_flag_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ConfigError, match="--tensorboard needs TensorFlow"):
        TensorBoardWriter(tmp_path)
