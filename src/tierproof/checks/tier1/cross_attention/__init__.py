"""T1-CROSS: does the decoder depend on the source, at the right positions?"""
