"""Gradients that are not zeroed, or at the wrong time."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "classifier_never_zeroed",
        "classifier",
        (("    optimizer.zero_grad()\n", ""),),
        ("loss.backward()",),
        (),
        "zero_grad is forgotten.",
    ),
    Fault(
        "causal_lm_zeroed_before_step",
        "causal_lm",
        (
            ("        optimizer.zero_grad(set_to_none=True)\n", ""),
            (
                "        optimizer.step()",
                "        optimizer.zero_grad(set_to_none=True)\n        optimizer.step()",
            ),
        ),
        ("optimizer.zero_grad(",),
        (),
        "zero_grad stands between backward and step.",
    ),
    Fault(
        "labels_inside_head_zeroed_only",
        "labels_inside",
        (("    optimizer.zero_grad()", "    model.head.zero_grad()"),),
        ("loss.backward()",),
        ("blocks", "tokens"),
        "Only the head's gradients are zeroed.",
    ),
    Fault(
        "amp_never_zeroed",
        "amp",
        (("    opt.zero_grad(set_to_none=True)\n", ""),),
        ("scaler.scale(loss).backward()",),
        (),
        "zero_grad is lost as a scaler is added.",
    ),
    Fault(
        "accumulate_calls_never_zeroed",
        "accumulate_calls",
        (("            self.optimizer.zero_grad()\n", ""),),
        ("(loss / self.every).backward()",),
        (),
        "zero_grad is lost from the branch that updates.",
    ),
    Fault(
        "accumulate_inside_zeroed_per_chunk",
        "accumulate_inside",
        (
            ("    optimizer.zero_grad()\n", ""),
            ("        loss.backward()", "        optimizer.zero_grad()\n        loss.backward()"),
        ),
        ("optimizer.zero_grad()", "loss.backward()"),
        (),
        "zero_grad stands inside the loop over micro-batches: only the last one counts.",
    ),
    Fault(
        "trainer_class_zeroed_sometimes",
        "trainer_class",
        (
            (
                "        self.opt.zero_grad()",
                "        if len(self.history) % 2 == 0:\n            self.opt.zero_grad()",
            ),
        ),
        ("loss.backward()",),
        (),
        "A leftover of accumulation: zeroed every second step, updated in each.",
    ),
    Fault(
        "accelerator_never_zeroed",
        "accelerator",
        (("    optimizer.zero_grad()\n", ""),),
        ("(loss / self.every).backward()", "accelerator.backward(loss)"),
        (),
        "The prepared optimizer is never zeroed.",
    ),
    Fault(
        "hand_scaled_zeroed_in_part",
        "hand_scaled",
        (("    optimizer.zero_grad()", "    for p in params[:-4]:\n        p.grad = None"),),
        ("(loss * SCALE).backward()",),
        ("pooler", "classifier"),
        "Gradients are dropped by a loop over a part of the parameters.",
    ),
    Fault(
        "seq2seq_zeroes_other_optimizer",
        "seq2seq",
        (
            (
                "scheduler = torch",
                "unused = torch.optim.Adam(EncoderDecoder().parameters())\nscheduler = torch",
            ),
            ("    optimizer.zero_grad()", "    unused.zero_grad()"),
            ("audit = {", 'audit = {"model": model, "optimizer": optimizer, '),
        ),
        ("loss.backward()",),
        (),
        "zero_grad of an optimizer that is no longer used.",
    ),
)
