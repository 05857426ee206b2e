"""T1-GRAD: does every trainable parameter get a correct gradient?"""
