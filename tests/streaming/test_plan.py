"""What can stream and what is refused, by the path of the operation that mixes frames, wherever it hides."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from kws_tf.errors import ConversionError
from kws_tf.layers import TemporalPadding
from kws_tf.streaming import StreamingLayer, StreamingModel

ROWS, WINDOW = 4, 10


class Mixer(layers.Layer):
    """Frame t plus a share of frame t - 1, and no streaming form."""

    def call(self, inputs):
        return inputs + 0.1 * ops.pad(inputs, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]


class Leaky(layers.Layer):
    """y[t] = 0.5 * y[t - 1] + x[t], with a streaming form."""

    lookahead_frames = 0

    def call(self, inputs):
        ages = np.arange(inputs.shape[1])[:, None] - np.arange(inputs.shape[1])
        shares = np.where(ages >= 0, 0.5 ** np.maximum(ages, 0.0), 0).astype(np.float32)
        return ops.einsum("ts,bsfc->btfc", shares, inputs)

    def state_shape(self, input_shape):
        return (1, *input_shape[2:])

    def step(self, inputs, state):
        outputs = []
        for t in range(inputs.shape[1]):
            state = 0.5 * state + inputs[:, t:t + 1]
            outputs.append(state)
        return ops.concatenate(outputs, axis=1), state


class Forgetful(Leaky):
    def step(self, inputs, state):
        outputs, _ = super().step(inputs, state)
        return outputs, state


class Late(Leaky):
    lookahead_frames = 1


def conv(channels=6, **settings):
    return layers.Conv2D(channels, (3, 1), data_format="channels_last", **settings)


class Chain(layers.Layer):
    """One layer after the other."""

    def __init__(self, *parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = list(parts)

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


class Net(keras.Model):
    def __init__(self, *parts, **kwargs):
        super().__init__(**kwargs)
        self.parts = list(parts)

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


def built(*parts):
    model = Net(*parts, name="net")
    model(np.zeros((1, 36, ROWS, 1), np.float32))
    return model


def network(mix, tail=None):
    """Dense -> mix, two layers deep -> mean over time and rows -> Dense."""
    return built(Chain(layers.Dense(6, name="before"), Chain(mix, name="inner"), name="outer"),
                 layers.GlobalAveragePooling2D(data_format="channels_last", name="mean"),
                 *(tail or [layers.Dense(3, name="classifier")]))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(2, 36, ROWS, 1)).astype(np.float32)


@pytest.mark.parametrize("mix, path", [
    (conv(padding="same", name="wide"), r"net/outer/inner/wide \(layer Conv2D, input \(None, 48, 4, 6\)\)"),
    (conv(name="bare"), r"net/outer/inner/bare \(layer Conv2D"),
    (layers.DepthwiseConv2D(3, padding="same", dilation_rate=(9, 1), name="deep"), r"net/outer/inner/deep \(layer DepthwiseConv2D"),
    (Mixer(name="mixer"), r"net/outer/inner/mixer \(layer Mixer"),
    (layers.GroupNormalization(groups=1, name="norm"), r"net/outer/inner/norm \(layer GroupNormalization"),
    (layers.Permute((2, 1, 3), name="turn"), r"net/outer/inner/turn \(layer Permute"),
], ids=["same", "valid", "dilated", "layer", "norm", "transposed"])
def test_what_mixes_frames_is_refused_by_its_path(mix, path):
    """Also where it sits in the call() of a layer in a layer, and is no layer itself."""
    with pytest.raises(ConversionError, match=path) as refused:
        StreamingModel(network(mix), WINDOW)
    assert "TemporalPadding" in str(refused.value) and "StreamingLayer" in str(refused.value)


class Shifted(layers.Layer):
    """A dense layer, and a function of keras.ops beside it."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function
        self.dense = layers.Dense(6)

    def call(self, inputs):
        return self.function(self.dense(inputs))


@pytest.mark.parametrize("function, culprit", [
    (lambda x: x - ops.max(x, axis=1, keepdims=True), "Max"),
    (lambda x: x - x[:, :1], "GetItem"),
    (lambda x: x - ops.mean(x, axis=1, keepdims=True), "Subtract"),
    (lambda x: ops.cumsum(x, axis=1), "Cumsum"),
    (lambda x: ops.roll(x, 1, axis=1), "Roll"),
    (lambda x: ops.flip(x, axis=1), "Flip"),
    (lambda x: ops.softmax(x, axis=1), "Softmax"),
    (lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1], "Pad"),
    (lambda x: x * np.linspace(0, 1, x.shape[1], dtype=np.float32)[:, None, None], "Multiply"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_functions_that_mix_frames_between_layers_are_refused(function, culprit):
    with pytest.raises(ConversionError, match=rf"net/outer/inner/shifted/{culprit} \(keras.ops {culprit}, input \(None, 48, 4, 6\)"):
        StreamingModel(network(Shifted(function, name="shifted")), WINDOW)


@pytest.mark.parametrize("mean, path", [
    (layers.GlobalMaxPooling2D(data_format="channels_last", name="top"), r"net/top \(layer GlobalMaxPooling2D.*mixes frames"),
    (layers.Flatten(name="flat"), r"net/flat \(layer Flatten.*mixes frames"),
])
def test_another_end_than_a_mean_is_refused(mean, path):
    with pytest.raises(ConversionError, match=path):
        StreamingModel(built(mean), WINDOW)


def test_scores_per_frame_are_no_end():
    with pytest.raises(ConversionError, match=r"net: the output \(None, 48, 4, 3\) is not behind a mean over time"):
        StreamingModel(built(layers.Dense(3)), WINDOW)


def test_functional_models_stream(x):
    inputs = keras.Input((None, ROWS, 1))
    outputs = layers.GlobalAveragePooling2D(data_format="channels_last")(conv()(TemporalPadding(3)(inputs)))
    assert StreamingModel(keras.Model(inputs, layers.Dense(3)(outputs)), WINDOW).difference(x, 4) < 1e-5


def test_a_network_outside_of_keras_is_refused():
    with pytest.raises(ConversionError, match=r"net: call\(\) does not run on a symbolic tensor of shape \(None, 48, 4, 1\): .*Keras"):
        StreamingModel(built(tf.abs, layers.GlobalAveragePooling2D()), WINDOW)


@pytest.mark.parametrize("mix", [
    Leaky(name="leaky"),
    Chain(TemporalPadding(3), conv()),
    Chain(TemporalPadding(5), conv(), conv()),
    Chain(TemporalPadding(3, padding="symmetric"), conv(), TemporalPadding(3, dilation=2), conv(dilation_rate=(2, 1))),
    Chain(TemporalPadding(1), layers.Conv2D(6, 1)),
    Chain(layers.LayerNormalization(axis=(2, 3)), layers.Reshape((-1, 2, 12))),
], ids=["streaming layer", "causal", "two on one padding", "mixed", "one tap", "frame by frame"])
def test_what_can_stream_equals_offline(mix, x):
    stream = StreamingModel(network(mix), WINDOW)
    for size in (4, 9):
        assert stream.difference(x, size) < 1e-5


class Branches(layers.Layer):
    """Paths of look-ahead 0, 1 and 4 that meet; the paddings of two of them read the same frames."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.paddings = [TemporalPadding(3, padding="symmetric"), TemporalPadding(3, dilation=4, padding="symmetric")]
        self.convs = [conv(), conv(dilation_rate=(4, 1))]
        self.dense = layers.Dense(6)

    def call(self, inputs):
        near, far = (convolution(padding(inputs)) for padding, convolution in zip(self.paddings, self.convs, strict=True))
        return ops.concatenate([self.dense(inputs) * near, ops.relu(far + inputs)], axis=-1)


def test_paths_of_different_delay_wait_for_each_other(x):
    """Where the frames are in the state of a padding anyway no line is added: of three waits one needs its own."""
    stream = StreamingModel(network(Branches(name="branches")), WINDOW)
    assert stream.delay_frames == 4 and stream.difference(x, 6) < 1e-5
    delays = [(tensor.name, tensor.shape) for tensor in stream.state if tensor.purpose == "delay"]
    assert delays == [("outer/inner/branches/delay", (3, ROWS, 6))]


def test_a_shared_layer_has_a_state_per_use(x):
    padding, convolution = TemporalPadding(3, name="twice"), conv()
    stream = StreamingModel(network(lambda inputs: convolution(padding(convolution(padding(inputs))))), WINDOW)
    assert [tensor.name for tensor in stream.state if tensor.purpose == "context"] == ["outer/inner/twice", "outer/inner/twice_2"]
    assert stream.difference(x, 4) < 1e-5


class Sphere(layers.Layer):
    """What an angular classifier does first; not linear."""

    def call(self, inputs):
        return inputs / ops.sqrt(ops.sum(ops.square(inputs), axis=-1, keepdims=True))


def test_a_mean_that_is_not_followed_by_linear_layers_is_taken_of_the_embeddings(x):
    model = network(Chain(TemporalPadding(3), conv()), tail=[Sphere(name="sphere"), layers.Dense(3)])
    stream = StreamingModel(model, WINDOW)
    assert ("average/values", (WINDOW, 6)) in [(tensor.name, tensor.shape) for tensor in stream.state]
    assert stream.difference(x, 4) < 1e-5
    scores, _ = stream.step(x[:, :WINDOW], stream.initial_state(2))
    np.testing.assert_allclose(scores[:, -1], model(x[:, :WINDOW]), atol=1e-5)
    with pytest.raises(ConversionError, match="net: what follows the mean over time is not linear"):
        StreamingModel(model, WINDOW, average="none")


@pytest.mark.parametrize("layer", [Forgetful(name="forgetful"), Late(name="late")])
def test_a_step_that_does_not_continue_its_call_is_refused(layer):
    assert isinstance(layer, StreamingLayer)
    with pytest.raises(ConversionError, match=rf"net/outer/inner/{layer.name} .*has a step\(\) that does not continue its call\(\)"):
        StreamingModel(network(layer), WINDOW)


def test_a_broken_padding_is_refused(monkeypatch):
    def off_by_one(self, inputs, state):
        window = ops.concatenate([state, inputs], axis=1)
        return window, window[:, :state.shape[1]]

    monkeypatch.setattr(TemporalPadding, "step", off_by_one)
    with pytest.raises(ConversionError, match=r"net/outer/inner/.*/temporal_padding.* \(layer TemporalPadding.*does not continue"):
        StreamingModel(network(Chain(TemporalPadding(3), conv())), WINDOW)


def test_a_padding_without_its_convolution_is_refused():
    with pytest.raises(ConversionError, match="follows a padding over time with no convolution in between"):
        StreamingModel(network(Chain(TemporalPadding(3), TemporalPadding(3), conv(), conv())), WINDOW)


class Opaque(layers.Layer):
    """Uses TensorFlow, so that its call() does not run on symbolic tensors of Keras."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return self.inner(tf.abs(inputs))


def test_a_layer_that_cannot_be_looked_into_streams_if_it_is_frame_wise(x):
    assert StreamingModel(network(Opaque(layers.Dense(6), name="opaque")), WINDOW).difference(x, 4) < 1e-5
    mixing = Opaque(Chain(TemporalPadding(3), conv()), name="opaque")
    with pytest.raises(ConversionError, match=r"net/outer/inner/opaque \(layer Opaque.*does not run on symbolic tensors"):
        StreamingModel(network(mixing), WINDOW)


def test_difference_shows_what_the_proofs_cannot_see(x):
    """A network that reckons with the number of frames does the same to every frame of a recording, but not of another."""
    stream = StreamingModel(network(Chain(lambda frames: frames / frames.shape[1], layers.Dense(6))), WINDOW)
    assert stream.difference(x, 4) > 1e-2
