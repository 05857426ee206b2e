"""T1-INIT: do the initial weights let the model learn?"""
