"""Loss scales that are not taken out, or not put in."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "amp_scale_never_updated",
        "amp",
        (("    scaler.update()\n", ""),),
        (),
        ("unscale_() is being called after step()",),
        "scaler.update() is forgotten: torch itself raises in the next step.",
    ),
    Fault(
        "amp_plain_optimizer_step",
        "amp",
        (
            ("    scaler.unscale_(opt)\n    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)\n", ""),
            ("    scaler.step(opt)\n    scaler.update()", "    opt.step()"),
        ),
        ("opt.step()",),
        (),
        "optimizer.step() in the place of scaler.step(): gradients carry the scale.",
    ),
    Fault(
        "amp_loss_not_scaled",
        "amp",
        (("scaler.scale(loss).backward()", "scaler.scale(loss)\n    loss.backward()"),),
        ("loss.backward()",),
        (),
        "backward on the loss itself.",
    ),
    Fault(
        "hand_scaled_never_divided",
        "hand_scaled",
        (
            (
                "    for p in params:\n        p.grad /= SCALE\n    torch.nn.utils.clip_grad_norm_(params, 0.25)\n",
                "",
            ),
        ),
        ("(loss * SCALE).backward()", "optimizer.step()"),
        (),
        "The gradients are never divided by the scale.",
    ),
)
