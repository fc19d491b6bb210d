"""
How long from here to there: one protocol, several sources, always an answer.

    engine (OSRM, Valhalla, Google Routes, Yandex) ──▶ cache ─┐
    great circle × detour ÷ speed × learned factor ───────────┼─▶ chain ─▶ Matrix, RoutePath, TravelMatrix
    great circle × detour ÷ default speed ────────────────────┘

`times.py` says what a source of travel times is, `chain.py` asks them in order and never waits longer than it is told.
"""

from dispatch.travel.times import Leg, Matrix, RoutePath, Source, SpeedFactors, TravelTimes

__all__ = ["Leg", "Matrix", "RoutePath", "Source", "SpeedFactors", "TravelTimes"]
