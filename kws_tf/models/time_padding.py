"""Which parts of a network look ahead: causal, symmetric, or symmetric in the early stages and causal after."""

from kws_tf.errors import ConfigError


def stage_paddings(padding, lookahead_stages, n_stages):
    """The padding over time of every part of a network.

    Early look-ahead is cheap: near the input dilations are small, so it delays a streaming network by few frames.

    Args:
        padding: "causal", "symmetric", or "mixed": symmetric in the stem and the first lookahead_stages stages, causal in the rest.
        lookahead_stages: 1 to n_stages with "mixed", else 0.
        n_stages: stages (BC-ResNet) or blocks of the network.

    Returns:
        n_stages + 2 of "causal" and "symmetric": of the stem, of the stages in order, and of the head.

    Raises:
        ConfigError: an unknown padding, or a number of stages that does not go with it.

    Example:
        >>> stage_paddings("mixed", 2, 4)              # ("symmetric", "symmetric", "symmetric", "causal", "causal", "causal")
    """
    if padding not in ("causal", "symmetric", "mixed"):
        raise ConfigError(f"padding must be 'causal', 'symmetric' or 'mixed'; received {padding!r}. Set --padding.")
    legal = range(1, n_stages + 1) if padding == "mixed" else (0,)
    if lookahead_stages not in legal:
        raise ConfigError(f"lookahead_stages must be {f'1 to {n_stages}' if padding == 'mixed' else 0} with padding={padding!r}; "
                          f"received {lookahead_stages!r}. Set --lookahead_stages, or another --padding.")
    if padding != "mixed":
        return (padding,) * (n_stages + 2)
    return ("symmetric",) * (1 + lookahead_stages) + ("causal",) * (n_stages + 1 - lookahead_stages)
