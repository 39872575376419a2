import pytest

from kws_tf.evaluation import file_parts
from kws_tf.runtime import model_file


def opened(path):
    manifest, content = model_file.read(path)
    return manifest, content, (1, manifest.streaming.hop_frames, manifest.features.n_features, 1)


@pytest.mark.parametrize("fixture", ["small_stream", "micro_stream"])
def test_both_parts_hold_all_operators(fixture, request):
    from kws_tf.tflite import flatbuffer

    manifest, content, shape = opened(request.getfixturevalue(fixture))
    parts = file_parts.cut(content, shape)
    whole, front_end, classifier = map(flatbuffer.read, (content, parts.front_end, parts.classifier))
    external = manifest.streaming.state == "external"
    assert parts.inputs == (("pcm", "pcm_tail") if external else ("pcm",))
    assert parts.outputs == (("pcm_tail/next",) if external else ())
    assert [tensor.spec for tensor in classifier.inputs] == [parts.features, *(spec for spec in manifest.inputs
                                                                               if spec.name not in parts.inputs)]
    assert [tensor.spec for tensor in classifier.outputs] == [spec for spec in manifest.outputs if spec.name not in parts.outputs]
    assert front_end.outputs[0].spec == parts.features

    def outputs(graph):
        return [tensor.name for node in graph.nodes for tensor in node.outputs]

    assert set(outputs(front_end)) | set(outputs(classifier)) == set(outputs(whole))
    if external:
        assert len(front_end.nodes) + len(classifier.nodes) == len(whole.nodes)
    pools = [[node for node in graph.nodes if node.operator == "MAX_POOL_2D"] for graph in (front_end, classifier)]
    assert pools[0] and not pools[1]


def test_a_file_without_a_front_end_is_not_cut(wake_word):
    _, content, shape = opened(wake_word.folder)
    assert file_parts.cut(content, shape) is None


def test_features_of_another_shape_are_not_found(small_stream):
    _, content, shape = opened(small_stream)
    assert file_parts.cut(content, shape) is not None and file_parts.cut(content, (*shape[:2], 39, 1)) is None


def test_parts_that_are_joined_elsewhere_too_are_not_cut(small_stream):
    from kws_tf.tflite import flatbuffer
    from kws_tf.tflite.flatbuffer import Node, Tensor

    _, content, shape = opened(small_stream)
    graph = flatbuffer.read(content)
    quantise = next(node for node in graph.nodes if node.operator == "QUANTIZE")
    both = Tensor("both", shape, "int16")
    graph.nodes.append(Node("ADD", [quantise.inputs[0], graph.outputs[0]], [both]))
    assert file_parts.cut(flatbuffer.write(graph), shape) is None
