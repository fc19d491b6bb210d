"""The page of `postrider top`, from what two processes tell."""

from rich.console import Console

from app.machine.top import drawn, read, screen, top

API = """
# TYPE postrider_fixes_accepted counter
postrider_fixes_accepted_total {n}
# TYPE postrider_events_told counter
postrider_events_told_total{{type="order.placed"}} {n}
postrider_events_told_total{{type="offer.made"}} 7
# TYPE postrider_couriers_on_duty gauge
postrider_couriers_on_duty{{region="porto"}} 12
# TYPE postrider_orders gauge
postrider_orders{{region="porto",state="placed"}} 3
# TYPE postrider_orders_oldest_unassigned_seconds gauge
postrider_orders_oldest_unassigned_seconds{{region="porto"}} 65
# TYPE postrider_log_lag_seconds gauge
postrider_log_lag_seconds{{region="porto",group="history"}} 2
# TYPE postrider_build_info gauge
postrider_build_info{{version="1.2",role="api"}} 1
"""
WRITER = """
# TYPE postrider_log_lag_seconds gauge
postrider_log_lag_seconds{region="porto",group="history"} 4
# TYPE postrider_alerts_open gauge
postrider_alerts_open{region="porto",kind="silent"} 2
# TYPE postrider_build_info gauge
postrider_build_info{version="1.2",role="writer"} 1
"""


def test_counters_become_rates_and_what_several_tell_of_the_whole_counts_once():
    shown = screen(read([API.format(n=100)], 10.0), read([API.format(n=150), WRITER], 12.0, ["http://x"]))
    assert (shown.rates["fixes accepted"], shown.rates["orders placed"], shown.rates["offers made"]) == (
        25.0,
        25.0,
        0.0,
    )
    (region,) = shown.regions
    assert (region.name, region.n_on_duty, region.orders, region.oldest_s) == ("porto", 12, {"placed": 3}, 65.0)
    assert (region.lags_s, region.n_alerts, shown.alerts) == ({"history": 4.0}, 2, {"silent": 2})
    assert (shown.roles, list(shown.silent)) == ({"api": "1.2", "writer": "1.2"}, ["http://x"])


def test_a_process_that_began_anew_is_no_negative_rate():
    assert screen(read([API.format(n=100)], 0.0), read([API.format(n=1)], 1.0)).rates["fixes accepted"] == 0


def test_the_page_says_it_in_words():
    console = Console(width=200)
    with console.capture() as capture:
        console.print(drawn(screen(read([API.format(n=1)], 0.0), read([API.format(n=3), WRITER], 1.0, ["http://x"]))))
    words = capture.get()
    for part in ("porto", "65 s", "history 4 s", "silent 2", "api 1.2, writer 1.2", "no answer from http://x", "2.0"):
        assert part in words


def test_it_looks_again_and_again(capsys):
    looks = iter([read([API.format(n=n)], float(n)) for n in (1, 2, 4)])
    top(["http://x"], every_s=0.0, times=2, look=lambda _: next(looks))
    assert "porto" in capsys.readouterr().out
