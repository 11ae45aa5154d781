"""What estimators say of parameters without effect."""

import warnings


def said(run):
    """Messages of parameters without effect."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught if "no effect" in str(w.message)]
