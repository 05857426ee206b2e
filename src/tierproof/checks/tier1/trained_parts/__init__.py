"""T1-PART: does every part of the model that can learn get what trains it?"""
