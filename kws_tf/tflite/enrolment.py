"""Writes the export folder of a model to which a class was enrolled."""

import dataclasses

from kws_tf import manifest as manifests
from kws_tf.tflite import export_folder, flatbuffer, operators
from kws_tf.tflite.export import finish
from kws_tf.tflite.prototypes import with_prototype
from kws_tf.tflite.vela import VelaSettings


def write(folder, manifest, content, label, prototype, embeddings, vela=""):
    """Puts a prototype into a model and writes the result, with its manifest and labels, as a folder of its own.

    Cost, arena and what Vela estimates are measured anew; metrics and the presets of the detector are left out: they do not hold for
    this file.

    Args:
        folder: absent, empty, or an earlier export. manifest: of the old file. content: its bytes.
        label: of the class; one that the model has gets another prototype. prototype: [embedding].
        embeddings: [clips, embedding], each of length 1, that the prototype was made from.
        vela: for a model of profile ethos-u, see VelaSettings; it is compiled for the accelerator that it was compiled for before.

    Returns:
        Path of the model file.

    Raises:
        ConversionError: see export.finish.
        ModelFileError: see with_prototype.
    """
    export_folder.check(folder, manifest.model_file)
    index = manifest.labels.index(label) if label in manifest.labels else None
    changed = with_prototype(content, prototype, index)
    graph, counts = flatbuffer.read(changed), operators.count(changed)
    note = manifests.Enrolment(label, len(embeddings), round(float((embeddings @ prototype).mean()), 4))
    described = dataclasses.replace(
        manifest, model_id=manifests.model_id(changed), model_bytes=len(changed),
        labels=manifest.labels if index is not None else (*manifest.labels, label),
        outputs=tuple(tensor.spec for tensor in graph.outputs), operators=counts, macs=sum(operator.macs for operator in counts),
        parameters=manifest.parameters + (0 if index is not None else len(prototype)), metrics={}, detector=None,
        ethos=None, enrolled=(*(entry for entry in manifest.enrolled if entry.label != label), note))
    settings = VelaSettings(manifest.ethos.accelerator, vela) if manifest.ethos else None
    return finish(folder, changed, described, vela=settings)
