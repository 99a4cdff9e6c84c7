"""Experiments are dealt to two processes that end at about the same time."""

from __future__ import annotations

from compare.report.lanes import share


def test_the_busiest_backend_is_spread_over_both_lanes_and_another_stays_in_one_process() -> None:
    needed = [("tensorflow", name) for name in ("real_models", "parity", "options", "weights", "masking")]
    needed += [("torch", name) for name in ("parity", "return_values.grid")]
    lanes = share(needed)
    assert sorted((job.backend, name) for lane in lanes for job in lane for name in job.experiments) == sorted(needed)
    assert [sorted(job.backend for job in lane) for lane in lanes] == [["tensorflow", "torch"], ["tensorflow"]]
    assert all(len({job.backend for job in lane}) == len(lane) for lane in lanes)


def test_one_experiment_takes_one_process() -> None:
    ((job,),) = share([("torch", "parity")])
    assert (job.backend, job.experiments) == ("torch", ["parity"])
