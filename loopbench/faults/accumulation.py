"""Micro-batches that are not put together as one batch."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "accumulate_inside_mean_of_means",
        "accumulate_inside",
        ((', reduction="sum") / total', ") / len(chunks)"),),
        ("loss.backward()",),
        (),
        "Each chunk's mean is divided by the number of chunks.",
        "huggingface/transformers#34191",
    ),
    Fault(
        "accumulate_calls_not_divided",
        "accumulate_calls",
        (("(loss / self.every).backward()", "loss.backward()"),),
        ("loss.backward()",),
        (),
        "The division by the number of micro-batches is forgotten.",
    ),
    Fault(
        "accumulate_calls_divided_by_another",
        "accumulate_calls",
        (("(loss / self.every).backward()", "(loss / 8).backward()"),),
        ("(loss / 8).backward()",),
        (),
        "The number of micro-batches was changed in one place of two.",
    ),
    Fault(
        "accelerator_not_divided",
        "accelerator",
        (("        (loss / self.every).backward()", "        loss.backward()"),),
        ("loss.backward()", "accelerator.backward(loss)"),
        (),
        "The wrapper's backward does not divide.",
    ),
    Fault(
        "accumulate_inside_sum_of_means",
        "accumulate_inside",
        ((', reduction="sum") / total', ")"),),
        ("loss.backward()",),
        (),
        "Means of chunks are added.",
    ),
    Fault(
        "hf_trainer_count_ignored",
        "hf_trainer",
        (("model(**inputs, num_items_in_batch=num_items_in_batch)", "model(**inputs)"),),
        ("outputs = model(**inputs)",),
        (),
        "compute_loss takes the count of targets and does not use it: means are added.",
        "huggingface/transformers#34198",
    ),
    Fault(
        "accumulate_calls_clipped_each",
        "accumulate_calls",
        (
            ("            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)\n", ""),
            (
                "        self.seen += 1",
                "        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.1)\n        self.seen += 1",
            ),
        ),
        ("clip_grad_norm_",),
        (),
        "Partial sums are clipped after each micro-batch.",
    ),
)
