"""The clips of a synthesised set, from its manifest."""

import json

from kws_tf.dataset.clip_manifest import MANIFEST_FILE
from kws_tf.synthesis.clip_plan import Clip
from kws_tf.synthesis.texts import Piece


def read(folder):
    """List of Clip."""
    rows = [json.loads(line) for line in (folder / MANIFEST_FILE).read_text(encoding="utf-8").split("\n")[:-1]]
    return [Clip(**{**row, "pieces": tuple(Piece(*piece) for piece in row["pieces"])}) for row in rows]
