"""Optimizers that do not hold what is trained, or hold it twice."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "classifier_lacks_pooler",
        "classifier",
        (
            (
                'if p.dim() >= 2 and "tokens" not in n',
                'if p.dim() >= 2 and "pooler" not in n and "tokens" not in n',
            ),
            ("if p.dim() < 2 or", 'if (p.dim() < 2 and "pooler" not in n) or'),
        ),
        (),
        ("pooler",),
        "Groups are collected by name, and one module is in none of them.",
        "facebookresearch/mmf#620",
    ),
    Fault(
        "causal_lm_older_copy",
        "causal_lm",
        (("    criterion =", "    model = __import__('copy').deepcopy(model)\n    criterion ="),),
        (),
        ("tokens.weight",),
        "The model is copied after the optimizer was made.",
    ),
    Fault(
        "trainer_class_held_twice",
        "trainer_class",
        (
            (
                "torch.optim.AdamW(self.model.parameters(),",
                "torch.optim.AdamW([*self.model.parameters(), *self.model.classifier.parameters()],",
            ),
        ),
        (),
        ("classifier",),
        "The head is added to a list that has it already.",
    ),
    Fault(
        "vision_frozen_moves",
        "vision",
        (
            (
                "held_out =",
                "F.cross_entropy(model(torch.randn(4, 3, 8, 8)), torch.zeros(4, dtype=torch.long)).backward()\nmodel.features.requires_grad_(False)\nheld_out =",
            ),
            ("    optimizer.zero_grad()", "    model.fc.zero_grad()"),
        ),
        (),
        ("features",),
        "Layers are frozen after a first backward, whose gradients stay.",
    ),
    Fault(
        "lora_lacks_b",
        "lora",
        (
            (
                "trainable = [p for p in model.parameters() if p.requires_grad]",
                'trainable = [p for n, p in model.named_parameters() if "lora_a" in n]',
            ),
        ),
        (),
        ("lora_b",),
        "A filter by name that takes one of the two factors.",
    ),
    Fault(
        "seq2seq_lacks_encoder",
        "seq2seq",
        (
            (
                "torch.optim.Adam(model.parameters(),",
                "torch.optim.Adam([*model.target.parameters(), *model.positions.parameters(), *model.decoder.parameters(), *model.head.parameters()],",
            ),
        ),
        (),
        ("encoder", "source"),
        "Only the decoder's parameters are given to the optimizer.",
    ),
    Fault(
        "lightning_head_replaced",
        "lightning",
        (
            (
                "driver = Driver(LanguageModule())",
                "driver = Driver(LanguageModule())\ndriver.module.model.head = nn.Linear(32, 50, bias=False)",
            ),
        ),
        (),
        ("head",),
        "The head is replaced after the optimizer was made.",
    ),
    Fault(
        "accelerator_head_only",
        "accelerator",
        (("torch.optim.AdamW(model.parameters(),", "torch.optim.AdamW(model.classifier.parameters(),"),),
        (),
        ("tokens", "blocks"),
        "The backbone was to be trained too, and is in no group.",
    ),
    Fault(
        "causal_lm_integer_warm_up",
        "causal_lm",
        (("(t + 1) / 100", "(t + 1) // 100"),),
        ("optimizer.step()",),
        (),
        "A whole-number division keeps the rate at zero.",
    ),
    Fault(
        "classifier_group_without_rate",
        "classifier",
        (('{"params": plain, "weight_decay": 0.0}', '{"params": plain, "weight_decay": 0.0, "lr": 0.0}'),),
        (),
        ("tokens", "norm"),
        "A group keeps a learning rate of zero from an experiment.",
    ),
    Fault(
        "hand_scaled_lost_in_rounding",
        "hand_scaled",
        (
            ("model = TextClassifier(dropout=0.0)", "model = TextClassifier(dropout=0.0).bfloat16()"),
            ("lr=0.1, momentum=0.9", "lr=1e-4"),
        ),
        ("optimizer.step()",),
        (),
        "bfloat16 weights with a small rate: each update is rounded away.",
    ),
    Fault(
        "hf_trainer_lacks_embedding",
        "hf_trainer",
        (
            (
                "trainer = LanguageTrainer(model, arguments,",
                'held = torch.optim.AdamW([p for n, p in model.named_parameters() if "wte" not in n], lr=1e-3)\ntrainer = LanguageTrainer(model, arguments, optimizers=(held, torch.optim.lr_scheduler.LinearLR(held)),',
            ),
        ),
        (),
        ("wte",),
        "An optimizer of one's own leaves the embedding out.",
    ),
    Fault(
        "ema_shadow_two_optimizers",
        "ema_shadow",
        (
            (
                "ema = EMA(model)",
                "fast = torch.optim.SGD(model.pooler.parameters(), lr=1e-2)\nema = EMA(model)",
            ),
            ("    optimizer.step()", "    optimizer.step()\n    fast.step()"),
        ),
        (),
        ("pooler",),
        "A second optimizer holds what the first one holds too.",
    ),
)
