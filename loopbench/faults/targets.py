"""Wrong targets: shifted, visible, or padding."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "causal_lm_padding_counts",
        "causal_lm",
        ((".masked_fill(mask[:, 1:] == 0, -100)", ""),),
        ("criterion(", "model(inputs)"),
        (),
        "Targets at padding are not ignored.",
    ),
    Fault(
        "labels_inside_padding_labelled",
        "labels_inside",
        (("    labels[mask == 0] = -100\n", ""),),
        ("outputs = model(**batch)",),
        (),
        "The collator copies the tokens, padding too.",
    ),
    Fault(
        "labels_inside_shifted_twice",
        "labels_inside",
        (
            (
                "    labels[mask == 0] = -100\n",
                "    labels[mask == 0] = -100\n    labels = torch.cat([labels[:, 1:], labels[:, :1] * 0 - 100], 1)\n",
            ),
        ),
        ("outputs = model(**batch)",),
        (),
        "The collator shifts, and the model shifts again.",
    ),
    Fault(
        "causal_lm_not_shifted",
        "causal_lm",
        (
            (
                "tokens[:, 1:].masked_fill(mask[:, 1:] == 0, -100)",
                "tokens[:, :-1].masked_fill(mask[:, :-1] == 0, -100)",
            ),
        ),
        ("criterion(", "model(inputs)"),
        (),
        "Inputs and targets are the same slice.",
    ),
    Fault(
        "lightning_shifted_the_wrong_way",
        "lightning",
        (
            ("[:, :-1]\n", "[:, 1:]\n"),
            ('batch["labels"][:, 1:]', 'batch["labels"][:, :-1]'),
        ),
        ("F.cross_entropy(", "self(batch"),
        (),
        "The slices are exchanged: each place is trained on the token before it.",
    ),
    Fault(
        "seq2seq_target_visible",
        "seq2seq",
        (("given, wanted = target[:, :-1], target[:, 1:]", "given, wanted = target[:, 1:], target[:, 1:]"),),
        ("criterion(", "model(source"),
        (),
        "The decoder is given what it is to write.",
    ),
    Fault(
        "masked_lm_visible_targets",
        "masked_lm",
        (("    labels = tokens.masked_fill(~chosen, -100)", "    labels = tokens.clone()"),),
        ("F.cross_entropy(", "model(inputs)"),
        (),
        "Labels of tokens that are not masked are not ignored.",
    ),
    Fault(
        "masked_lm_never_masked",
        "masked_lm",
        (("return tokens.masked_fill(chosen, MASK), labels", "return tokens, labels"),),
        ("F.cross_entropy(", "model(inputs)"),
        (),
        "The masked tokens are made and not used.",
    ),
    Fault(
        "seq2seq_padding_counts",
        "seq2seq",
        (("nn.CrossEntropyLoss(ignore_index=PAD)", "nn.CrossEntropyLoss()"),),
        ("criterion(", "model(source"),
        (),
        "The criterion does not know the padding token.",
    ),
    Fault(
        "accelerator_mask_not_passed",
        "accelerator",
        (('model(batch["input_ids"], batch["attention_mask"])', 'model(batch["input_ids"])'),),
        ("F.cross_entropy(", "logits = model("),
        (),
        "The mask is in the batch, and does not reach the model.",
    ),
    Fault(
        "hf_trainer_padding_labelled",
        "hf_trainer",
        (('.masked_fill(batch["attention_mask"] == 0, -100)', ".clone()"),),
        ("outputs = model(",),
        (),
        "The collator copies the tokens into the labels.",
    ),
    Fault(
        "hf_trainer_shifted_twice",
        "hf_trainer",
        (
            (
                "    return batch\n",
                '    batch["labels"] = torch.cat([batch["labels"][:, 1:], batch["labels"][:, :1] * 0 - 100], 1)\n    return batch\n',
            ),
        ),
        ("outputs = model(",),
        (),
        "The collator shifts labels for a model that shifts them.",
    ),
    Fault(
        "accumulate_inside_not_shifted",
        "accumulate_inside",
        (
            ('model(chunk["input_ids"])[:, :-1]', 'model(chunk["input_ids"])'),
            ('labels = chunk["labels"][:, 1:]\n', 'labels = chunk["labels"]\n'),
            ('(chunk["labels"][:, 1:] != -100)', '(chunk["labels"] != -100)'),
        ),
        ("F.cross_entropy(", "model(chunk"),
        (),
        "The labels are not shifted at all.",
    ),
    Fault(
        "lora_two_ahead",
        "lora",
        (
            ("model(tokens[:, :-1])", "model(tokens[:, :-2])"),
            ("tokens[:, 1:].flatten()", "tokens[:, 2:].flatten()"),
        ),
        ("F.cross_entropy(", "model(tokens"),
        (),
        "Shifted by two.",
    ),
    Fault(
        "classifier_probabilities",
        "classifier",
        (("F.cross_entropy(logits, labels)", "F.cross_entropy(logits.softmax(-1), labels)"),),
        ("F.cross_entropy(",),
        (),
        "A softmax stands before the cross-entropy.",
    ),
    Fault(
        "ema_shadow_nll_of_scores",
        "ema_shadow",
        (("F.cross_entropy(model(x), y)", "F.nll_loss(model(x), y)"),),
        ("F.nll_loss(",),
        (),
        "nll_loss is given scores, not log-probabilities.",
    ),
)
