import math

import pytest

from kws_tf.config import TrainConfig
from kws_tf.errors import ConfigError
from kws_tf.training.schedule import Schedule


def test_warm_up_and_cosine_of_the_published_code():
    schedule = Schedule(TrainConfig(lr=0.1, epochs=4, warmup_epochs=1), steps_per_epoch=5)
    rates = [schedule.rate(step) for step in range(20)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[4 + 5] == pytest.approx(0.05 * (1 + math.cos(math.pi * 5 / 15)))
    assert rates[19] == pytest.approx(0, abs=1e-15)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_no_warm_up_starts_at_the_peak():
    assert Schedule(TrainConfig(lr=0.2, epochs=3, warmup_epochs=0, schedule="constant"), 4).rate(0) == 0.2


def test_constant_and_plateau_after_the_warm_up():
    constant = Schedule(TrainConfig(lr=0.1, epochs=9, warmup_epochs=2, schedule="constant"), 3)
    plateau = Schedule(TrainConfig(lr=0.1, epochs=9, warmup_epochs=2, schedule="plateau", plateau_epochs=2, plateau_factor=0.5), 3)
    assert [round(constant.rate(step), 6) for step in (0, 5, 26)] == [0.016667, 0.1, 0.1]
    assert plateau.rate(20, falls=0) == 0.1
    assert plateau.rate(20, falls=3) == pytest.approx(0.0125)
    assert [plateau.falls_after(stale) for stale in range(6)] == [False, False, True, False, True, False]
    assert not any(constant.falls_after(stale) for stale in range(20))


def test_hold_and_parabola_of_the_sparknet_recipe():
    schedule = Schedule(TrainConfig(lr=1.0, epochs=20, warmup_epochs=1, schedule="hold_polynomial"), steps_per_epoch=10)
    rates = [schedule.rate(step) for step in range(200)]
    assert rates[:10] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert rates[10:90] == [1.0] * 80
    assert rates[90 + 54] == pytest.approx(1e-4 + 0.9999 * 0.25)
    assert rates[199] == pytest.approx(1e-4)
    assert rates[89:] == sorted(set(rates[89:]), reverse=True)


def test_hold_and_parabola_after_a_long_warm_up():
    schedule = Schedule(TrainConfig(lr=1.0, epochs=10, warmup_epochs=8, schedule="hold_polynomial"), steps_per_epoch=10)
    assert [schedule.rate(step) for step in (78, 79, 89, 99)] == pytest.approx([79 / 80, 1.0, 1e-4 + 0.9999 * 0.25, 1e-4])


def test_a_warm_up_that_never_ends_is_refused():
    with pytest.raises(ConfigError, match=r"warm-up of 5 epochs does not end within 3 epochs; lower --warmup_epochs"):
        Schedule(TrainConfig(epochs=3), 10)
