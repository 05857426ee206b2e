"""T1-STAB: is the forward pass repeatable, finite and steady in depth and precision?"""
