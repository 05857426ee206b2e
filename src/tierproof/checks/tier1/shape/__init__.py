"""T1-SHAPE: do the shapes of the outputs follow the shapes of the inputs?"""
