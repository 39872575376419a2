"""curves.png: the course of a run."""

from kws_tf import atomic_file


def draw_curves(history, path, title, monitor="accuracy"):
    """Draws loss, accuracy and learning rate over the epochs and marks the best epoch.

    Args:
        history: dicts per epoch with epoch, lr, loss, accuracy, val_loss, val_accuracy, val_balanced_accuracy, and for SparkNet
            sparsity, which gets a panel of its own.
        path: .png file to replace.
        title: of the figure.
        monitor: validation metric that picked the best epoch.
    """
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    pick = min if monitor == "loss" else max
    best = pick(history, key=lambda row: row[f"val_{monitor}"])["epoch"]
    panels = [("Cross entropy", "loss [nats]", {"training": "loss", "validation": "val_loss"}),
              ("Accuracy", "clips recognised [%]", {"training": "accuracy", "validation": "val_accuracy",
                                                    "validation, mean of classes": "val_balanced_accuracy"}),
              ("Learning rate", "rate at the end of the epoch", {"learning rate": "lr"})]
    if "val_accuracy_pre_roll" in history[0]:
        panels[1][2]["validation with pre-roll"] = "val_accuracy_pre_roll"
    if "sparsity" in history[0]:
        panels.append(("Gates", "closed gates [%]", {"training": "sparsity"}))
    figure = Figure(figsize=(5 * len(panels), 4.2), layout="constrained")
    figure.suptitle(title, parse_math=False)
    for axes, (name, unit, curves) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        scale = 100 if "%" in unit else 1
        for label, key in curves.items():
            axes.plot(epochs, [scale * row[key] for row in history], marker="." if len(epochs) < 40 else "", label=label)
        axes.axvline(best, color="0.6", linestyle=":", label=f"best epoch ({best})")
        axes.set(title=name, xlabel="epoch", ylabel=unit)
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_file.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
