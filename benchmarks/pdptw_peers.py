"""VROOM and PyVRP on the same integer problem, for benchmarks.pdptw."""

from datetime import timedelta

import pyvrp
import vroom
from pyvrp.stop import MaxRuntime

from dispatch.planning.problem import Stops
from dispatch.planning.search.day_ahead import Task

VEHICLE_COST = 10_000_000
"""Above any distance: fewer vehicles first."""


def by_vroom(task: Task, seconds: float) -> list[Stops] | None:
    """VROOM at its best setting: exploration level 5, both cores, as long as it wants up to `seconds`."""
    problem = vroom.Input()
    problem.set_durations_matrix(profile="car", matrix_input=task.distance)
    depot = task.depot
    horizon = vroom.TimeWindow(task.opens[depot], task.closes[depot])
    for number in range(task.n_vehicles):
        problem.add_vehicle(
            vroom.Vehicle(
                number + 1,
                start=depot,
                end=depot,
                capacity=[task.capacity],
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
        problem.add_job(vroom.Shipment(pickup, dropoff, amount=vroom.Amount([task.demand[2 * order]])))
    found = problem.solve(exploration_level=5, nb_threads=2, timeout=timedelta(seconds=seconds))
    rows = found.routes
    visits = rows[rows["type"].isin(["pickup", "delivery"])]
    return [
        tuple(int(stop) for stop in of_one["location_index"]) for _, of_one in visits.groupby("vehicle_id", sort=True)
    ]


def by_pyvrp(task: Task, seconds: float, *, seed: int) -> list[Stops] | None:
    """PyVRP with a price for each vehicle, for `seconds`."""
    model = pyvrp.Model()
    stops = range(task.depot)
    places = [model.add_location(0, 0) for _ in range(task.depot + 1)]
    depot = model.add_depot(places[task.depot])
    model.add_vehicle_type(
        task.n_vehicles,
        capacity=[task.capacity],
        start_depot=depot,
        end_depot=depot,
        fixed_cost=VEHICLE_COST,
        tw_early=task.opens[task.depot],
        tw_late=task.closes[task.depot],
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
            amount=[task.demand[pickup]],
        )
    for a, row in enumerate(task.distance):
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
