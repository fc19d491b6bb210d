"""VROOM and PyVRP on the same integer problem, for benchmarks.pdptw."""

from datetime import timedelta

import pyvrp
import vroom
from pyvrp.stop import MaxRuntime

from dispatch.planning.problem import Stops
from dispatch.planning.search.day_task import Task

VEHICLE_COST = 10_000_000
"""Above any distance: fewer vehicles first."""


def by_vroom(task: Task, seconds: float) -> list[Stops] | None:
    """VROOM at its best setting: exploration level 5, both cores, as long as it wants up to `seconds`."""
    (vans,) = task.kinds
    problem = vroom.Input()
    problem.set_durations_matrix(profile="car", matrix_input=vans.distance)
    depot = vans.start
    horizon = vroom.TimeWindow(vans.opens, vans.closes)
    for number in range(vans.count):
        problem.add_vehicle(
            vroom.Vehicle(
                number + 1,
                start=depot,
                end=depot,
                capacity=list(vans.capacity),
                time_window=horizon,
                costs=vroom.VehicleCosts(fixed=VEHICLE_COST),
            )
        )
    for order in range(task.n_orders):
        pickup, dropoff = (
            vroom.ShipmentStep(
                stop + 1,
                stop,
                default_service=task.service[stop],
                time_windows=[vroom.TimeWindow(task.opens[stop], task.closes[stop])],
            )
            for stop in (2 * order, 2 * order + 1)
        )
        problem.add_job(vroom.Shipment(pickup, dropoff, amount=vroom.Amount(list(task.size[order]))))
    found = problem.solve(exploration_level=5, nb_threads=2, timeout=timedelta(seconds=seconds))
    rows = found.routes
    visits = rows[rows["type"].isin(["pickup", "delivery"])]
    return [
        tuple(int(stop) for stop in of_one["location_index"]) for _, of_one in visits.groupby("vehicle_id", sort=True)
    ]


def by_pyvrp(task: Task, seconds: float, *, seed: int) -> list[Stops] | None:
    """PyVRP with a price for each vehicle, for `seconds`."""
    (vans,) = task.kinds
    model = pyvrp.Model()
    stops = range(vans.start)
    places = [model.add_location(0, 0) for _ in range(vans.start + 1)]
    depot = model.add_depot(places[vans.start])
    model.add_vehicle_type(
        vans.count,
        capacity=list(vans.capacity),
        start_depot=depot,
        end_depot=depot,
        fixed_cost=VEHICLE_COST,
        tw_early=vans.opens,
        tw_late=vans.closes,
    )
    for pickup in stops[::2]:
        dropoff = pickup + 1
        model.add_shipment(
            places[pickup],
            places[dropoff],
            pickup_tw_early=task.opens[pickup],
            pickup_tw_late=task.closes[pickup],
            pickup_service_duration=task.service[pickup],
            delivery_tw_early=task.opens[dropoff],
            delivery_tw_late=task.closes[dropoff],
            delivery_service_duration=task.service[dropoff],
            amount=list(task.size[pickup >> 1]),
        )
    for a, row in enumerate(vans.distance):
        for b, length in enumerate(row):
            if a != b:
                model.add_edge(places[a], places[b], distance=length, duration=length)
    best = model.solve(MaxRuntime(seconds), seed=seed, display=False).best
    if not best.is_feasible():
        return None
    return [
        tuple(2 * step.idx + step.is_delivery() for step in route.schedule() if step.is_shipment())
        for route in best.routes()
    ]
