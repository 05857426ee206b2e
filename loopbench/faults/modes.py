"""Training in evaluation mode, and evaluation in training mode."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "vision_left_in_eval",
        "vision",
        (("    model.train()\n\n\ndef step", "\n\ndef step"),),
        ("F.cross_entropy(model(images), labels)",),
        (),
        "model.train() is missing after the validation.",
        "joeynmt/joeynmt#184",
    ),
    Fault(
        "trainer_class_left_in_eval",
        "trainer_class",
        (("        self.model.train()\n        return accuracy", "        return accuracy"),),
        ("logits = self.model(x)",),
        (),
        "The evaluation leaves the model as it used it.",
    ),
    Fault(
        "classifier_never_trains",
        "classifier",
        (("    model.train()", "    model.eval()"),),
        ("logits = model(tokens)",),
        (),
        "eval() where train() was meant.",
    ),
    Fault(
        "vision_validates_in_training_mode",
        "vision",
        (("    model.eval()\n", ""),),
        ("F.cross_entropy(model(images), labels).item()",),
        (),
        "The validation does not switch the mode.",
    ),
    Fault(
        "trainer_class_evaluates_in_training_mode",
        "trainer_class",
        (("        self.model.eval()\n", ""),),
        ("self.model(x).argmax(-1) == y",),
        (),
        "The accuracy is taken with dropout on.",
    ),
    Fault(
        "ema_copy_batch_norm_still",
        "ema_copy",
        (("        student.train()", "        student.eval()"),),
        ("student(x)",),
        (),
        "Batch norm never learns its statistics.",
    ),
    Fault(
        "vision_batch_norm_in_eval",
        "vision",
        (
            ("model = ConvNet()", "model = ConvNet(dropout=0.0)"),
            ("    model.train() if state", "    model.eval() if state"),
            ("    model.train()\n\n\ndef step", "\n\ndef step"),
        ),
        ("F.cross_entropy(model(images), labels)",),
        (),
        "A model without dropout trains in evaluation mode: batch norm uses its first statistics.",
    ),
    Fault(
        "amp_eval_after_first_step",
        "amp",
        (
            ("    net.train()\n", ""),
            ("    return loss.item()", "    net.eval()\n    return loss.item()"),
        ),
        ("output = net(inputs)",),
        (),
        "The mode is switched at the end of the step for a log that is gone.",
    ),
)
