"""Averaged weights that do not follow, or are the model itself."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "ema_shadow_shares_memory",
        "ema_shadow",
        (("p.detach().clone()", "p.detach()"),),
        (),
        ("ema", "shadow"),
        "The shadow is made without a copy.",
    ),
    Fault(
        "ema_shadow_skips_norms",
        "ema_shadow",
        (
            (
                "        for name, p in model.named_parameters():\n            self.shadow[name].mul_",
                '        for name, p in model.named_parameters():\n            if "norm" in name:\n                continue\n            self.shadow[name].mul_',
            ),
        ),
        (),
        ("norm",),
        "Norms are left out of the update.",
    ),
    Fault(
        "ema_copy_before_step",
        "ema_copy",
        (("        opt.step()\n        follow()", "        follow()\n        opt.step()"),),
        ("follow()",),
        ("teacher",),
        "The average is updated before the weights.",
    ),
    Fault(
        "ema_averaged_model_never_updated",
        "ema_averaged_model",
        (
            ("    ema_model.update_parameters(model)\n", ""),
            ("audit = {", 'audit = {"ema": ema_model, '),
        ),
        (),
        ("ema",),
        "update_parameters is never called.",
    ),
    Fault(
        "ema_copy_without_buffers",
        "ema_copy",
        (
            (
                "        for ours, theirs in zip(teacher.buffers(), student.buffers()):\n            ours.copy_(theirs)\n",
                "",
            ),
        ),
        (),
        ("running_mean", "features"),
        "Only parameters are followed.",
    ),
    Fault(
        "ema_shadow_decay_exchanged",
        "ema_shadow",
        (
            (
                "mul_(self.decay).add_(p, alpha=1 - self.decay)",
                "mul_(1 - self.decay).add_(p, alpha=self.decay)",
            ),
        ),
        (),
        ("ema", "shadow"),
        "Decay and its complement are exchanged: the average is nearly the weights.",
    ),
    Fault(
        "ema_copy_zip_of_other_order",
        "ema_copy",
        (
            (
                "zip(teacher.parameters(), student.parameters())",
                "zip(list(teacher.parameters())[:4], student.parameters())",
            ),
        ),
        (),
        ("features", "fc"),
        "zip ends with the shorter list: the last parameters do not follow.",
    ),
)
