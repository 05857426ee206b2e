"""As google.colab.output: clears outputs by tag; the forms of a cell are its `@param` comments alone."""


def clear(wait=False, output_tags=()):
    """Clear the cell's output."""


def eval_js(code, ignore_result=False, timeout_sec=None):
    """There is no JavaScript here."""
    raise RuntimeError("the stand-in has no browser")
