"""Checks that run only when they are asked for: T1-CKPT, T1-FIT, T1-EXPORT, T1-COMPILE."""
