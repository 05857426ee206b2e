"""Losses that are reported falsely, have the wrong sign, or cut the graph."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "labels_inside_penalty_not_reported",
        "labels_inside",
        (("    loss.backward()", "    (loss + 0.5 * outputs.logits.pow(2).mean()).backward()"),),
        (".backward()",),
        (),
        "A penalty is minimised and not reported.",
    ),
    Fault(
        "classifier_running_mean_reported",
        "classifier",
        (("    return loss.item()", "    return sum(losses) / len(losses)"),),
        ("loss.backward()", "return sum"),
        (),
        "The mean over all steps so far is returned.",
    ),
    Fault(
        "causal_lm_reports_accuracy",
        "causal_lm",
        (("        return loss.detach()", "        return (logits.argmax(-1) == targets).float().mean()"),),
        ("loss.backward()", "return "),
        (),
        "Another figure is returned as the loss.",
    ),
    Fault(
        "classifier_ascends",
        "classifier",
        (("    loss.backward()", "    (-loss).backward()"),),
        ("(-loss).backward()",),
        (),
        "The sign of a reward is left in.",
    ),
    Fault(
        "trainer_class_rate_too_large",
        "trainer_class",
        (
            ('"lr": 1e-3', '"lr": 30.0'),
            (
                "self.sched = torch.optim.lr_scheduler.LinearLR(self.opt, start_factor=0.1, total_iters=20)",
                "self.sched = torch.optim.lr_scheduler.StepLR(self.opt, 100)",
            ),
        ),
        (),
        ("learning rate",),
        "A rate for another optimizer: the loss grows.",
    ),
    Fault(
        "vision_infinite",
        "vision",
        (
            (
                "    loss = F.cross_entropy(model(images), labels)\n    loss.backward",
                "    loss = -torch.log(F.softmax(1e4 * model(images), -1))[torch.arange(len(labels)), labels].mean()\n    loss.backward",
            ),
        ),
        ("loss.backward()", "-torch.log("),
        (),
        "A logarithm of a softmax that underflows.",
    ),
    Fault(
        "ema_shadow_scores_too_large",
        "ema_shadow",
        (("F.cross_entropy(model(x), y)", "F.cross_entropy(100 * model(x), y)"),),
        ("F.cross_entropy(",),
        (),
        "A temperature the wrong way round: the first loss is far above chance.",
    ),
)
