"""T1-LOSS: does the loss train each output on the right target, and does all of it reach the model?"""
