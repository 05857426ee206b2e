"""T1-BATCH: does each row of a batch leave the others alone?"""
