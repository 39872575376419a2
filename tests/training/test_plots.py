import pathlib
import struct

from kws_tf.training.plots import draw_curves


def row(epoch):
    return {"epoch": epoch, "lr": 0.1 / epoch, "loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch, "val_loss": 1.1 / epoch,
            "val_accuracy": 0.9 - 0.4 / epoch, "val_balanced_accuracy": 0.85 - 0.4 / epoch, "seconds": 1.0}


def test_curves_are_a_picture_for_one_epoch_and_for_many(tmp_path: pathlib.Path):
    path = tmp_path / "curves.png"
    for n in (1, 60):
        draw_curves([row(epoch) for epoch in range(1, n + 1)], path, "run", "loss")
        data = path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", data[16:24])
        assert width > 1000 and height > 300
    draw_curves([{**row(epoch), "sparsity": 0.3, "val_accuracy_pre_roll": 0.8} for epoch in (1, 2)], path, "run")
    assert struct.unpack(">I", path.read_bytes()[16:20])[0] == width * 4 // 3
    assert [item.name for item in tmp_path.iterdir()] == ["curves.png"]
