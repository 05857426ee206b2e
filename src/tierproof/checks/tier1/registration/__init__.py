"""T1-REG: are all parameters, buffers and submodules registered?"""
