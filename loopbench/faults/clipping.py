"""Gradients clipped in the wrong unit, place or part."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "amp_clipped_before_unscaling",
        "amp",
        (
            ("    scaler.unscale_(opt)\n", ""),
            (
                "    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)\n",
                "    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)\n    scaler.unscale_(opt)\n",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "unscale_ stands after the clipping.",
        "pytorch/examples#1196",
    ),
    Fault(
        "amp_never_unscaled",
        "amp",
        (("    scaler.unscale_(opt)\n", ""),),
        ("clip_grad_norm_",),
        (),
        "unscale_ is forgotten: the scaled gradients are clipped.",
    ),
    Fault(
        "hand_scaled_clipped_first",
        "hand_scaled",
        (
            (
                "    for p in params:\n        p.grad /= SCALE\n    torch.nn.utils.clip_grad_norm_(params, 0.25)",
                "    torch.nn.utils.clip_grad_norm_(params, 0.25)\n    for p in params:\n        p.grad /= SCALE",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "Clipped, then divided by the scale.",
    ),
    Fault(
        "causal_lm_clipped_after_step",
        "causal_lm",
        (
            (
                "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()",
                "        optimizer.step()\n        nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "Clipped after the update.",
    ),
    Fault(
        "classifier_clipped_before_backward",
        "classifier",
        (
            (
                "    loss.backward()\n    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
                "    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    loss.backward()",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "Clipped before there are gradients.",
    ),
    Fault(
        "trainer_class_clips_the_head",
        "trainer_class",
        (
            (
                "clip_grad_norm_(self.model.parameters(),",
                "clip_grad_norm_(self.model.classifier.parameters(),",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "Only the head is clipped.",
    ),
    Fault(
        "seq2seq_clip_by_generator",
        "seq2seq",
        (
            ("scheduler = torch", "to_clip = model.parameters()\nscheduler = torch"),
            ("clip_grad_norm_(model.parameters(), 1.0)", "clip_grad_norm_(to_clip, 0.1)"),
        ),
        ("clip_grad_norm_",),
        (),
        "A generator of parameters is used up in the first step: nothing is clipped from then on.",
    ),
    Fault(
        "lora_clips_the_frozen",
        "lora",
        (
            (
                "clip_grad_norm_(trainable, 1.0)",
                "clip_grad_norm_([p for p in model.parameters() if not p.requires_grad], 0.05)",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "The frozen parameters are clipped, which have no gradients.",
    ),
)
