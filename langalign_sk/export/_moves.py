"""Fitted maps of an aligner as arrays, in the order in which rows pass them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..aligner import CrossLingualAligner
from ..aligner._route import RoutedHead, route_of
from ..languages.codes import languages_of
from ..mapping import Network
from ..mapping._base import PairedMap

__all__ = ["Move", "move_of", "move_of_head"]


_SIDES = ("target", "english")


@dataclass(frozen=True)
class Move:
    """Maps that the rows of one side pass in an aligner.

    Attributes
    ----------
    networks : tuple of Network
        Maps in their order, float32; adjacent linear maps are merged. Empty if the rows stay as
        they are.
    side : {"target", "english"}
        Side of the rows.
    language : str or None
        Code of the language of the rows; None for an array-level aligner.
    n_features_in : int
        Width of the rows before the first map.
    """

    networks: tuple[Network, ...]
    side: str
    language: str | None
    n_features_in: int

    @property
    def n_features_out(self) -> int:
        """Width of the rows behind the last map."""
        return self.networks[-1].n_targets if self.networks else self.n_features_in


def move_of(
    aligner: Any, target_lang: str | None, side: str | None, *, passing: bool = False
) -> Move:
    """Maps that the rows of one side pass.

    Parameters
    ----------
    aligner : CrossLingualAligner, LinearAligner or AdapterAligner
        The fitted aligner, not inside a FrozenEstimator.
    target_lang : str or None
        Language of the map; required if several languages were declared.
    side : {"target", "english"} or None
        Side of the rows; None is the side that moves, "target" if both do.
    passing : bool, default=False
        Whether rows that stay as they are are allowed.

    Returns
    -------
    Move
        The maps, without the checks and containers of `transform`.

    Raises
    ------
    TypeError
        If `aligner` is not an aligner.
    ValueError
        If `target_lang` was not declared, `side` is another value, or the rows stay as they are
        and `passing` is False.
    """
    if not isinstance(aligner, CrossLingualAligner | PairedMap):
        raise TypeError(
            "Only a CrossLingualAligner, LinearAligner or AdapterAligner holds maps to export, got "
            f"{type(aligner).__name__}. A Pipeline must begin with one."
        )
    check_is_fitted(aligner)
    _check_side(side)
    if isinstance(aligner, PairedMap):
        if target_lang is not None:
            raise ValueError(
                f"{type(aligner).__name__} has one map, for no language: leave target_lang=None."
            )
        side, language = side or "target", None
        maps = _of_pairs(aligner, side)
    else:
        target = _declared(languages_of(aligner.target_lang), target_lang)
        side = side or ("english" if aligner.output_space == "target" else "target")
        language = target if side == "target" else "en"
        maps = _of_text(aligner, target, side)
    if not maps and not passing:
        other = _SIDES[side == "target"]
        raise ValueError(
            f"Rows of the {side} side pass {type(aligner).__name__} unchanged, so there is no map to "
            f'export: use the encoder alone for them. Pass side="{other}" for the rows that move.'
        )
    if maps:
        first = maps[0]
        width = len(first.coef if first.coef is not None else first.layers[0][0])
    else:
        # Rows that stay as they are have the width of moved rows.
        paired = isinstance(aligner, PairedMap)
        width = aligner.n_targets if paired else route_of(aligner).n_features_out
    return Move(_merged(maps), side, language, width)


def move_of_head(head: RoutedHead, target_lang: str | None, side: str) -> Move:
    """Maps that the rows of one side pass before a head.

    Parameters
    ----------
    head : RoutedHead
        Of a classifier.
    target_lang : str or None
        Language of the rows; required if there are several.
    side : {"target", "english"}
        Side of the rows: English ones pass the bridge alone.

    Returns
    -------
    Move
        The maps; none for rows that stay as they are.

    Raises
    ------
    ValueError
        If `target_lang` is not a language of the head, or `side` is another value.
    """
    _check_side(side)
    route = head.route
    target = _declared(tuple(route.maps), target_lang)
    language_map = route.map_of(target)
    maps = _of_pairs(language_map, "target") if side == "target" else []
    if route.bridge is not None:
        maps += _of_pairs(route.bridge, "target")
    language = target if side == "target" else "en"
    return Move(_merged(maps), side, language, language_map.n_features_in_)


def _check_side(side: str | None) -> None:
    if side not in (None, *_SIDES):
        raise ValueError(f"side must be one of {_SIDES} or None, got {side!r}.")


def _declared(declared: Sequence[str], language: str | None) -> str:
    """The language that is asked for, or the only one; a ValueError for any other."""
    if language is None and len(declared) == 1:
        return declared[0]
    if language is None or language not in declared:
        raise ValueError(
            f"Each language has a map of its own: pass target_lang= as one of {list(declared)}, got "
            f"{language!r}."
        )
    return language


def _of_pairs(fitted: PairedMap, side: str) -> list[Network]:
    """Maps of one side's rows of a map of arrays; none for counterparts that do not move."""
    networks = fitted.networks()
    way = "move" if side == "target" else "move_counterparts"
    return [networks[way]] if way in networks else []


def _of_text(aligner: CrossLingualAligner, language: str, side: str) -> list[Network]:
    """Maps of one side's rows of an aligner, from an encoder to the output space."""
    route = route_of(aligner)
    language_map = route.map_of(language)
    if route.output_space == "target":
        return [language_map.networks()["move_back"]] if side == "english" else []
    if side == "english":
        return _of_pairs(language_map, side) if route.output_space == "shared" else []
    maps = _of_pairs(language_map, side)
    return maps if route.bridge is None else [*maps, *_of_pairs(route.bridge, side)]


def _merged(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Maps in float32, with adjacent linear maps multiplied into one."""
    merged: list[Network] = []
    for network in networks:
        network = network.astype(np.float64)
        if merged and not merged[-1].layers and not network.layers:
            (coef, intercept), (then, offset) = merged.pop().arrays(), network.arrays()
            network = Network(coef @ then, intercept @ then + offset)
        merged.append(network)
    return tuple(network.astype(np.float32) for network in merged)
