"""T1-PAD: do padded positions leave the others alone?"""
