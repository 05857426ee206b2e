CHECK = None
