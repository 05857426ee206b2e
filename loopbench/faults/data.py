"""Steps that wait for data."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "vision_slow_augmentation",
        "vision",
        (("    flip = torch.rand", "    __import__('time').sleep(0.25)\n    flip = torch.rand"),),
        ("F.cross_entropy(model(images), labels)",),
        (),
        "Images are decoded inside of the step.",
    ),
)
