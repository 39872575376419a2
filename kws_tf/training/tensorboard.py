"""The history of a run as TensorBoard summaries."""

from kws_tf.errors import ConfigError


class TensorBoardWriter:
    """Writes every history row as scalars: training/loss, validation/accuracy, learning_rate and so on. Call it with each row.

    Args:
        folder: where the event files go; made with the first row.

    Raises:
        ConfigError: TensorFlow, which writes the files, is not installed.
    """

    def __init__(self, folder):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ConfigError("--tensorboard needs TensorFlow, which is not installed here; install kws_tf[train].") from error
        self._summary = tf.summary
        self._folder = str(folder)
        self._writer = None

    def __call__(self, row):
        """Adds one row of history.csv."""
        if self._writer is None:
            self._writer = self._summary.create_file_writer(self._folder)
        with self._writer.as_default():
            for name, value in row.items():
                if name != "epoch":
                    self._summary.scalar(_tag(name), value, step=row["epoch"])
        self._writer.flush()


def _tag(name):
    if name in ("lr", "seconds"):
        return {"lr": "learning_rate", "seconds": "epoch_seconds"}[name]
    return f"validation/{name.removeprefix('val_')}" if name.startswith("val_") else f"training/{name}"
