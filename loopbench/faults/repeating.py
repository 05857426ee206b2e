"""Steps that cannot be repeated or resumed."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "vision_own_generator",
        "vision",
        (
            (
                "torch.rand(len(images)) < 0.5",
                "torch.from_numpy(__import__('numpy').random.default_rng().random(len(images))) < 0.5",
            ),
        ),
        ("flip = ",),
        (),
        "A generator without a seed is made in each step.",
    ),
    Fault(
        "trainer_class_rate_from_history",
        "trainer_class",
        (
            (
                "        self.sched.step()",
                '        for group in self.opt.param_groups:\n            group["lr"] = self.config["lr"] / (2 + len(self.history))',
            ),
        ),
        ("self.opt.step()",),
        ("history",),
        "The learning rate depends on a list that no state_dict holds.",
    ),
    Fault(
        "classifier_running_norm",
        "classifier",
        (
            ("losses = []", 'losses = []\nrunning = {"norm": torch.tensor(0.1)}'),
            (
                "    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n",
                '    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), float(running["norm"]))\n    running["norm"] = 0.5 * running["norm"] + 0.5 * norm\n',
            ),
        ),
        ("optimizer.step()",),
        ("running",),
        "An adaptive bound is kept in a plain dict.",
    ),
)
