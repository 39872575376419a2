import keras
import numpy as np

from kws_tf.training.randomness import reset_generators, seed_of


def network():
    return keras.Sequential([keras.layers.Input((64,)), keras.layers.Dropout(0.5), keras.layers.GaussianDropout(0.5)])


def draw(model):
    return np.asarray(model(np.ones((4, 64), np.float32), training=True))


def test_draws_depend_on_seed_and_epoch_alone():
    first, second = network(), network()
    assert reset_generators(first, 1, 5) == 2
    draw(second)
    reset_generators(second, 1, 5)
    expected = draw(first)
    np.testing.assert_array_equal(draw(second), expected)
    assert not np.array_equal(draw(first), expected)
    for seed, epoch in ((1, 6), (2, 5)):
        reset_generators(second, seed, epoch)
        assert not np.array_equal(draw(second), expected)


def test_the_global_generators_follow_on_backends_that_draw_from_them_alone(monkeypatch):
    # TensorFlow answers a new global seed by compiling every graph anew: seconds in every epoch.
    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    model = network()
    for backend in ("tensorflow", "torch"):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        reset_generators(model, 1, 5)
    assert seeds == [seed_of(1, 5, 2)]


def test_seeds_differ_by_every_argument_and_fit_31_bits():
    seeds = {seed_of(seed, epoch, stream) for seed in range(4) for epoch in range(10) for stream in range(5)}
    assert len(seeds) == 200
    assert 0 <= min(seeds) and max(seeds) < 2**31
