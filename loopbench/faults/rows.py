"""Rows that are left out, weighed by their place, or given other rows' labels."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "classifier_half_of_the_rows",
        "classifier",
        (
            (
                "F.cross_entropy(logits, labels)",
                "F.cross_entropy(logits[: len(labels) // 2], labels[: len(labels) // 2])",
            ),
        ),
        ("F.cross_entropy(",),
        (),
        "A slice that was for debugging.",
    ),
    Fault(
        "ema_shadow_first_row",
        "ema_shadow",
        (("F.cross_entropy(model(x), y)", 'F.cross_entropy(model(x), y, reduction="none")[0]'),),
        ("F.cross_entropy(",),
        (),
        "An index in the place of a mean.",
    ),
    Fault(
        "trainer_class_weighed_by_place",
        "trainer_class",
        (
            (
                "self.criterion(logits, y)",
                '(nn.functional.cross_entropy(logits, y, reduction="none") * torch.linspace(0.2, 1.8, len(y))).mean()',
            ),
        ),
        ("cross_entropy(",),
        (),
        "Weights that belong to classes or examples are applied by place.",
    ),
    Fault(
        "multi_task_labels_reversed",
        "multi_task",
        (('F.cross_entropy(answer["topic"], topics)', 'F.cross_entropy(answer["topic"], topics.flip(0))'),),
        ("F.cross_entropy(",),
        (),
        "Labels are sorted the other way.",
    ),
    Fault(
        "vision_shuffled_apart",
        "vision",
        (("    images = augment(images)", "    images = augment(images[torch.randperm(len(images))])"),),
        ("F.cross_entropy(",),
        (),
        "Images are shuffled, and labels are not.",
    ),
    Fault(
        "regression_broadcast",
        "regression",
        (("model(tokens).squeeze(-1)", "model(tokens)"),),
        ("F.mse_loss(",),
        (),
        "A column against a row: each prediction is compared with every label.",
    ),
    Fault(
        "lora_last_token_only",
        "lora",
        (
            (
                "F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())",
                "F.cross_entropy(logits[0], tokens[0, 1:])",
            ),
        ),
        ("F.cross_entropy(",),
        (),
        "Only the first row of the batch is used.",
    ),
    Fault(
        "ema_copy_batch_mean_of_parts",
        "ema_copy",
        (
            (
                "F.cross_entropy(student(x), y)",
                "(F.cross_entropy(student(x)[:1], y[:1]) + F.cross_entropy(student(x)[1:], y[1:])) / 2",
            ),
        ),
        ("F.cross_entropy(",),
        (),
        "The mean of means of two unequal parts of the batch.",
    ),
)
