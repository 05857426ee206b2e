"""Weight decay on norms, biases and embeddings."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "trainer_class_decays_everything",
        "trainer_class",
        (("weight_decay=0.0", "weight_decay=0.1"),),
        (),
        ("norm",),
        "One group for all parameters.",
    ),
    Fault(
        "classifier_groups_exchanged",
        "classifier",
        (
            (
                '{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}',
                '{"params": decayed, "weight_decay": 0.0}, {"params": plain, "weight_decay": 0.1}',
            ),
        ),
        (),
        ("norm",),
        "The two groups are exchanged.",
    ),
)
