import io

import numpy as np
import pytest
from matplotlib import image

from kws_tf.evaluation import detection_pictures


@pytest.fixture
def report():
    sweep = [{"threshold": t, "per_hour": max(0, (200 - t) // 10) / 2, "miss_rate": (t / 255) ** 3} for t in range(1, 256)]
    rows = [{"group": name, "words": 5, "miss_rate": 0.2, "miss_interval": [0.04, 0.6]} for name in ("0 to 5 dB", "5 to 10 dB")]
    latency = {"events": 3, "median_seconds": 0.1, "p95_seconds": 0.3, "seconds": [-0.1, 0.1, 0.3]}
    return {"sweep": sweep, "sweep_hours": 2.0, "detector": {"preset": "", "settings": {"threshold": 150}},
            "annotated": {"words": 50, "by_snr": rows, "by_level": rows, "latency": latency}}


def drawn(png):
    return image.imread(io.BytesIO(png), format="png")[..., :3]


def coloured(picture, colour):
    wanted = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.argwhere(np.abs(picture - wanted).max(axis=2) < 0.02)


@pytest.mark.parametrize("name", ["det", "thresholds", "conditions", "latency"])
def test_every_picture_has_a_size_and_colour(report, name):
    picture = drawn(getattr(detection_pictures, f"draw_{name}")(report))
    assert picture.shape[0] > 400 and picture.shape[1] > 800 and len(coloured(picture, detection_pictures.BLUE)) > 500


def test_the_chosen_threshold_moves(report):
    columns = []
    for threshold in (60, 150, 250):
        report["detector"]["settings"]["threshold"] = threshold
        places = coloured(drawn(detection_pictures.draw_det(report)), detection_pictures.ORANGE)
        columns.append(places[:, 1].mean())
    assert columns[0] > columns[1] > columns[2], "a higher threshold has fewer false accepts"


def test_nothing_to_draw(report):
    report["annotated"].update(by_snr=[], by_level=[], latency={"events": 0})
    assert detection_pictures.draw_conditions(report) is None and detection_pictures.draw_latency(report) is None
    for point in report["sweep"]:
        point["miss_rate"] = None
    assert len(coloured(drawn(detection_pictures.draw_thresholds(report)), detection_pictures.BLUE)) == 0
