"""Tensors of each step that stay alive."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "classifier_losses_with_graphs",
        "classifier",
        (("losses.append(loss.item())", "losses.append(loss)"),),
        ("F.cross_entropy(", "losses.append(loss)"),
        ("losses",),
        "The losses themselves are kept in a list.",
    ),
    Fault(
        "trainer_class_outputs_kept",
        "trainer_class",
        (("self.history.append(loss.item())", "self.history.append(logits.detach())"),),
        ("self.history.append(logits.detach())",),
        ("history",),
        "Outputs of all steps are kept.",
    ),
    Fault(
        "vision_sum_with_graph",
        "vision",
        (
            (
                'history = {"train": [], "validation": []}',
                'history = {"train": [], "validation": [], "sum": 0.0}',
            ),
            ('    history["train"].append(loss.item())', '    history["sum"] = history["sum"] + loss'),
        ),
        ("F.cross_entropy(", 'history["sum"] + loss'),
        ("history",),
        "A running sum of losses keeps every graph.",
    ),
)
