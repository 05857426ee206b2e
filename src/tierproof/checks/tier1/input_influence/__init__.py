"""T1-INPUT: does every input influence the output?"""
