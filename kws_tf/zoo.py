"""Lists the models that ship with kws_tf, with their figures. Their names may be given wherever a program takes --model.

    python -m kws_tf.zoo
    python -m kws_tf.predict --model NAME clip.wav
    python -m kws_tf.listen --model NAME

Accuracy and false accepts are those that were measured on the very files; the model card in the folder of each model says on what, how
it was made, and what it cannot do. Needs numpy and absl alone.
"""

import json

from absl import flags

from kws_tf import manifest as manifests
from kws_tf.counted import counted
from kws_tf.flags import refuse_arguments, run
from kws_tf.runtime import model_file

FLAGS = flags.FLAGS
CARD = "model_card.md"


def define(flag_values=FLAGS):
    """Defines the flags of this program."""
    flags.DEFINE_boolean("json", False, "Print one JSON object per file instead of text.", flag_values=flag_values, module_name="zoo")


def describe(name, kind, folder):
    """The facts of one shipped file as JSON values.

    Args:
        name: of the model. kind: "clip" or "streaming". folder: its export folder.

    Returns:
        dict: model, kind, folder, labels, keywords, bytes, macs (of one inference), arena_bytes (None if not measured), hop_ms (None for a
        clip), testing (accuracy figures) and presets {name: measured figures}.
    """
    manifest = manifests.read(folder)
    stream, detector = manifest.streaming, manifest.detector
    return {"model": name, "kind": kind, "folder": str(folder), "labels": list(manifest.labels),
            "keywords": list(detector.keywords) if detector else [], "bytes": manifest.model_bytes, "macs": manifest.macs,
            "arena_bytes": manifest.arena.n_bytes if manifest.arena else None,
            "hop_ms": 1000 * stream.hop_samples / manifest.sample_rate if stream else None,
            "testing": manifest.metrics.get("testing"),
            "presets": {preset.name: preset.measured for preset in detector.presets} if detector else {}}


def lines(facts):
    """The text of one file."""
    size = f"{facts['bytes'] / 1000:.0f} kB, {facts['macs'] / 1e6:.2f} million MACs per "
    size += "clip" if facts["hop_ms"] is None else f"{facts['hop_ms']:g} ms"
    size += f", arena {facts['arena_bytes'] / 1000:.0f} kB" if facts["arena_bytes"] else ""
    yield f"  {facts['kind']:<10} {size}"
    testing = facts["testing"]
    if testing:
        low, high = (100 * end for end in testing["accuracy_interval"])
        yield f"{'':13}{100 * testing['accuracy']:.1f} % of {testing['clips']} testing clips (95 % interval {low:.1f} to {high:.1f})"
    for name, measured in facts["presets"].items():
        if measured:
            upper = measured["upper_bound_per_hour"]
            yield (f"{'':13}{name}: {measured['hits']} of {counted(measured['words'], 'word')} found, "
                   f"{counted(measured['false_accepts'], 'false accept')} in "
                   f"{measured['hours']:.2f} hours (below {upper:{'.0f' if upper >= 100 else '.3g'}} per hour with 95 % confidence)")


def main(argv):
    refuse_arguments(argv)
    models = model_file.shipped_models()
    if not models:
        print("no model ships with this version")
    for name, files in models.items():
        found = [describe(name, kind, folder) for kind, folder in files.items()]
        if FLAGS.json:
            print("\n".join(json.dumps(facts, ensure_ascii=False) for facts in found))
            continue
        card = next(iter(files.values())).parent / CARD
        print(f"{name}: {', '.join(found[0]['labels'])}{f'   ({card})' if card.is_file() else ''}")
        print("\n".join(line for facts in found for line in lines(facts)))


if __name__ == "__main__":
    run(main, define)
