"""Prints what a network costs: layers, shapes, parameters, multiply-accumulates.

    python -m kws_tf.summary --model bc_resnet --tau 1 --n_mels 40
    python -m kws_tf.summary --tau 2 --n_mels 80 --clip_duration 1.5 --classes 3 --json

The number of frames follows from --clip_duration and the frame geometry of the features; --frames sets it directly (the papers
count 101 for one second, with centred frames).
"""

import dataclasses
import json
import os
import sys

from absl import flags

from kws_tf import screen
from kws_tf.config import to_dict
from kws_tf.flags import define_config, refuse_arguments, run, run_config

FLAGS = flags.FLAGS


def define(flag_values=FLAGS):
    """Defines the flags of features and network, and of this program."""
    place = {"flag_values": flag_values, "module_name": "summary"}
    flags.DEFINE_float("clip_duration", 1.0, "Length of the network's input in seconds.", **place)
    flags.DEFINE_integer("frames", None, "Frames of the network's input, instead of --clip_duration.", lower_bound=1, **place)
    flags.DEFINE_integer("classes", 12, "Number of classes.", lower_bound=1, **place)
    flags.DEFINE_boolean("json", False, "Print JSON instead of a table.", **place)
    define_config(flag_values, groups=("features", "model"))


def describe(config, n_classes, n_frames):
    """The costs of the network of a RunConfig, as plain JSON types.

    Args:
        config: RunConfig; its features and model are used.
        n_classes: outputs. n_frames: frames of one clip.

    Returns:
        dict with "model", "features", "classes", "frames", "ssn_groups" (BC-ResNet: sub-bands of each stage), "totals",
        "counting_rules" and "layers".
    """
    from kws_tf import models
    from kws_tf.models import summary

    network = models.build(config.model, config.features, n_classes, n_frames)
    costs = summary.layer_costs(network, n_frames)
    chosen = {"ssn_groups": list(network.ssn_groups)} if hasattr(network, "ssn_groups") else {}
    return {"model": to_dict(config.model), "features": to_dict(config.features), "classes": n_classes, "frames": n_frames, **chosen,
            "totals": summary.totals(costs), "counting_rules": summary.COUNTING_RULES,
            "layers": [dataclasses.asdict(cost) | {"output_shape": list(cost.output_shape)} for cost in costs]}


def print_table(description, console):
    """Writes a description as a table, one row per layer, and the rules of counting below it."""
    from rich.table import Table

    model, features = description["model"], description["features"]
    rows = f"{features['n_mfcc']} MFCC" if features["kind"] == "mfcc" else f"{features['n_mels']} mels"
    table = Table(title=f"{model['model']}, {rows}, {description['frames']} frames, {description['classes']} classes", title_justify="left")
    table.add_column("layer")
    table.add_column("kind")
    for header in ("output T x F x C", "parameters", "MACs", "thop"):
        table.add_column(header, justify="right")
    part = ""
    for layer in description["layers"]:
        block = layer["name"].rpartition("/")[0]
        if block != part:
            table.add_section()
        part = block
        table.add_row(layer["name"], layer["kind"], " x ".join(map(str, layer["output_shape"])),
                      *(f"{layer[key]:,}" if layer[key] else "" for key in ("parameters", "macs", "thop")))
    table.add_section()
    table.add_row("total", "", "", *(f"{description['totals'][key]:,}" for key in ("parameters", "macs", "thop")), style="bold")
    console.print(table)
    if "ssn_groups" in description:
        console.print(f"Sub-bands of stages 0 to 3 (--ssn_groups={model['ssn_groups']}): "
                      + ", ".join(str(groups) if groups else "BatchNorm" for groups in description["ssn_groups"]))
    for name, rule in description["counting_rules"].items():
        console.print(f"{name}: {rule}")


def main(argv):
    refuse_arguments(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    config = run_config()
    frames = FLAGS.frames or config.features.n_frames(config.clip_samples)
    description = describe(config, FLAGS.classes, frames)
    if FLAGS.json:
        sys.stdout.write(json.dumps(description, indent=2) + "\n")
        return
    print_table(description, screen.console())


if __name__ == "__main__":
    run(main, define, extra="train")
