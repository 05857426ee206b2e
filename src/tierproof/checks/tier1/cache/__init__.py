"""T1-CACHE: does decoding with a cache give the same outputs as one full pass?"""
