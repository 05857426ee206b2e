"""Schedules stepped at the wrong time, too often, never, or for another optimizer."""

from loopbench.fault import Fault

FAULTS = (
    Fault(
        "classifier_schedule_first",
        "classifier",
        (
            ("    scheduler.step()\n", ""),
            ("    optimizer.step()", "    scheduler.step()\n    optimizer.step()"),
        ),
        ("scheduler.step()",),
        (),
        "The schedule steps before the optimizer.",
    ),
    Fault(
        "accumulate_calls_schedule_per_micro_batch",
        "accumulate_calls",
        (
            ("            self.scheduler.step()\n", ""),
            ("        self.seen += 1", "        self.seen += 1\n        self.scheduler.step()"),
        ),
        ("self.scheduler.step()",),
        (),
        "The schedule steps in each call, the optimizer in every third.",
    ),
    Fault(
        "accumulate_inside_schedule_per_chunk",
        "accumulate_inside",
        (
            ("    scheduler.step()\n", ""),
            ("        running += loss.item()", "        running += loss.item()\n        scheduler.step()"),
        ),
        ("scheduler.step()",),
        (),
        "The schedule steps inside the loop over chunks.",
    ),
    Fault(
        "seq2seq_schedule_per_epoch",
        "seq2seq",
        (("    scheduler.step()\n", "    if batch.get('last'):\n        scheduler.step()\n"),),
        (),
        ("LambdaLR",),
        "A warm-up of hundreds of steps is stepped once an epoch.",
        "coqui-ai/TTS#1611",
    ),
    Fault(
        "accelerator_schedule_not_prepared",
        "accelerator",
        (
            (
                "    def step(self):\n        if self.accelerator.sync:\n            self.scheduler.step()",
                "    def step(self):\n        self.scheduler.step()",
            ),
        ),
        ("self.scheduler.step()", "scheduler.step()"),
        (),
        "The scheduler steps for each micro-batch.",
    ),
    Fault(
        "lightning_schedule_of_another_optimizer",
        "lightning",
        (
            (
                "StepLR(optimizer, step_size=100)",
                "StepLR(torch.optim.AdamW(self.parameters(), lr=self.lr), step_size=100)",
            ),
        ),
        ("self.scheduler.step()",),
        ("StepLR",),
        "The schedule was made for an optimizer that is not used.",
    ),
    Fault(
        "amp_schedule_twice",
        "amp",
        (("    sched.step()", "    sched.step()\n    sched.step()"),),
        ("sched.step()",),
        (),
        "Two places step the schedule.",
    ),
)
