"""Fits that leave the former fit whole where they fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

__all__ = ["keeps_former_fit", "keeps_former_fit_transform"]


Transformer = TypeVar("Transformer", bound=type)
Method = TypeVar("Method", bound=Callable[..., Any])


def keeps_former_fit(method: Method) -> Method:
    """Decorator of a method that fits: where it raises, the fit of before stays as it was.

    Fitted attributes, which end or begin with an underscore, are put back, and those that are new are
    removed; parameters stay as they are. The method must replace the values of attributes, and not
    write into them.

    Parameters
    ----------
    method : callable
        Method of an estimator, such as `fit`.

    Returns
    -------
    callable
        The method, with the same signature.

    Examples
    --------
    >>> from langalign_sk._utils.fits import keeps_former_fit
    >>> class Mean:
    ...     @keeps_former_fit
    ...     def fit(self, X):
    ...         self.n_ = len(X)
    ...         self.mean_ = sum(X) / self.n_
    ...         return self
    >>> mean = Mean().fit([1, 2, 3])
    >>> try:
    ...     mean.fit([])
    ... except ZeroDivisionError:
    ...     print(mean.n_, mean.mean_)
    3 2.0
    """

    @wraps(method)
    def whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = {name: value for name, value in vars(self).items() if _is_fitted(name)}
        try:
            return method(self, *args, **kwargs)
        except BaseException:  # KeyboardInterrupt too
            rest = {name: value for name, value in vars(self).items() if not _is_fitted(name)}
            self.__dict__ = {**rest, **before}  # at once, for other threads
            raise

    return cast(Method, whole)


def keeps_former_fit_transform(cls: Transformer) -> Transformer:
    """Decorator of a transformer class: where `fit_transform` raises, the fit of before stays.

    scikit-learn wraps the method when a class is made, to convert its output for `set_output`,
    which may fail after the fit.

    Parameters
    ----------
    cls : type
        Class with a method `fit_transform`, of its own or not.

    Returns
    -------
    type
        The class.
    """
    transformer: Any = cls
    transformer.fit_transform = keeps_former_fit(transformer.fit_transform)
    return cls


def _is_fitted(name: str) -> bool:
    return name.endswith("_") or name.startswith("_")
