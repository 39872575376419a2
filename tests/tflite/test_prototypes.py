import types

import numpy as np
import pytest

from kws_tf.errors import ModelFileError
from kws_tf.runtime import model_file
from kws_tf.tflite import flatbuffer, prototypes
from kws_tf.tflite.executor import real


@pytest.mark.parametrize("profile", ["float32", "features", "pi"])
def test_the_file_computes_the_embedding_of_the_network(arcface, tone_clips, profile):
    embedder = prototypes.Embedder(*model_file.read(arcface.folder / profile))
    network = arcface.network
    found = np.stack([embedder(clip) for clip in tone_clips[0][:6]])
    mean = np.mean(network.frame_embeddings(arcface.features[:6]), axis=1)
    expected = np.stack([prototypes.unit(row) for row in np.array(network.classifier.standardised(mean))])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert (np.sum(found * expected, axis=1) > (0.99999 if profile == "float32" else 0.95)).all()


def test_prototypes_of_the_file_are_those_of_the_network(arcface):
    kernel = np.array(arcface.network.classifier.kernel)
    expected = np.transpose(kernel / np.linalg.norm(kernel, axis=0))
    for profile, tolerance in (("float32", 1e-6), ("pi", 0.01)):
        _, content = model_file.read(arcface.folder / profile)
        np.testing.assert_allclose(prototypes.prototypes(content), expected, atol=tolerance)


@pytest.mark.parametrize("profile", ["float32", "pi"])
def test_a_new_class_changes_no_byte_of_the_others(arcface, profile):
    _, content = model_file.read(arcface.folder / profile)
    prototype = np.random.default_rng(1).normal(size=prototypes.prototypes(content).shape[1])
    before, after = (flatbuffer.read(each) for each in (content, prototypes.with_prototype(content, prototype)))
    assert [node.operator for node in before.nodes] == [node.operator for node in after.nodes]
    old, new = (prototypes.find_head(graph)[1] for graph in (before, after))
    place = before.nodes.index(old)
    assert new is after.nodes[place]
    for old, new in zip(before.nodes[:place], after.nodes[:place], strict=True):
        for one, two in zip(old.inputs, new.inputs, strict=True):
            assert one is two is None or one.spec == two.spec and (one.data is None or one.data.tobytes() == two.data.tobytes())
    old, new = before.nodes[place], after.nodes[place]
    assert new.inputs[1].data[:-1].tobytes() == old.inputs[1].data.tobytes() and new.inputs[1].shape[0] == 4
    assert after.outputs[0].shape == (1, 4)
    grids = [(graph.outputs[0].spec.scale, graph.outputs[0].spec.zero_point) for graph in (before, after)]
    assert grids[0] == grids[1]
    stored = real(new.inputs[1])[-1].reshape(-1)
    assert prototypes.unit(stored) @ prototypes.unit(prototype) > 0.999
    if profile == "pi":
        assert new.inputs[2].data[:-1].tolist() == old.inputs[2].data.tolist() and new.inputs[2].data[-1] == 0


def test_a_prototype_close_to_one_axis_fits_the_grid(arcface):
    """A grid that spans the trained prototypes alone would clip the long component and turn the vector."""
    _, content = model_file.read(arcface.folder / "pi")
    size = prototypes.prototypes(content).shape[1]
    steep = prototypes.unit(np.where(np.arange(size) == 3, 1.0, 0.04))
    for vector in (steep, -steep):
        assert prototypes.prototypes(prototypes.with_prototype(content, vector))[-1] @ vector > 0.9999


def test_replacing_leaves_the_other_rows_and_the_number_of_classes(arcface):
    _, content = model_file.read(arcface.folder / "pi")
    changed = prototypes.with_prototype(content, -prototypes.prototypes(content)[1], index=1)
    old, new = (prototypes.find_head(flatbuffer.read(each))[1] for each in (content, changed))
    assert new.inputs[1].shape == old.inputs[1].shape
    assert new.inputs[1].data[[0, 2]].tobytes() == old.inputs[1].data[[0, 2]].tobytes()
    assert np.abs(new.inputs[1].data[1].astype(int) + old.inputs[1].data[1]).max() <= 2 and new.inputs[2].data[1] == 0


@pytest.mark.parametrize("prototype", [np.zeros(32), np.ones(3), np.ones((1, 32))])
def test_refuses_what_is_no_prototype(arcface, prototype):
    _, content = model_file.read(arcface.folder / "pi")
    with pytest.raises(ModelFileError, match="a prototype of 32 values, not all of them 0, is needed"):
        prototypes.with_prototype(content, prototype)


def test_a_linear_classifier_has_no_prototypes(exported):
    for profile in ("float32", "pi"):
        with pytest.raises(ModelFileError, match="not an ArcFace model.*Train with --arcface"):
            prototypes.Embedder(*model_file.read(exported / profile))


def test_a_streaming_file_is_told_apart():
    with pytest.raises(ModelFileError, match="a streaming model scores no single clips; give the clip file of the same run"):
        prototypes.Embedder(types.SimpleNamespace(kind="streaming"), b"")
