"""Graphs that are cut, so that parameters are never trained."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "lightning_detached",
        "lightning",
        (("        return self.model.head(hidden)", "        return self.model.head(hidden.detach())"),),
        (),
        ("model.blocks", "model"),
        "A detach that was for logging.",
    ),
    Fault(
        "lightning_no_grad",
        "lightning",
        (
            (
                "        hidden = self.model.features(tokens)",
                "        with torch.no_grad():\n            hidden = self.model.features(tokens)",
            ),
        ),
        (),
        ("model.blocks", "model"),
        "The features are computed without gradients.",
    ),
    Fault(
        "lightning_through_numpy",
        "lightning",
        (
            (
                "        return self.model.head(hidden)",
                "        hidden = torch.from_numpy(hidden.detach().numpy().copy())\n        return self.model.head(hidden)",
            ),
        ),
        (),
        ("model.blocks", "model"),
        "A detour through numpy.",
    ),
    Fault(
        "lightning_data",
        "lightning",
        (
            (
                "        return self.model.head(hidden)",
                "        hidden = hidden.data\n        return self.model.head(hidden)",
            ),
        ),
        (),
        ("model.blocks", "model"),
        ".data cuts as detach does.",
    ),
    Fault(
        "multi_task_item",
        "multi_task",
        (("0.5 * tag_loss", "0.5 * tag_loss.item()"),),
        ("tag_loss.item()",),
        ("tag_head",),
        "One of two losses is added as a number.",
    ),
    Fault(
        "multi_task_new_tensor",
        "multi_task",
        (("loss = topic_loss + 0.5 * tag_loss", "loss = topic_loss + torch.tensor(0.5 * float(tag_loss))"),),
        (),
        ("tag_head",),
        "One of two losses is wrapped into a new tensor.",
    ),
)
