"""The reading of a journal after kills, on lines written by hand."""

from __future__ import annotations

import json

from tests.bench.kill_report import Kill, outages_of, peer_paces, pooled, read_lives


def line(level, time, step, pid, first_step=0):
    """A level that makes 10 steps and 100 tokens a second and uses half a core."""
    return {
        "time": time,
        "level": level,
        "step": step,
        "tokens_seen": 10 * step,
        "tokens_per_second": 100.0,
        "cpu_seconds": step / 20,
        "pids": [pid],
        "first_step": first_step,
    }


def write(path, lines):
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return read_lives(path)


def test_what_a_killed_worker_had_told_and_makes_again_is_lost(tmp_path):
    lives = write(
        tmp_path / "journal",
        [
            *(line("syntax", 10.0 + t, 10 * t, pid=1) for t in range(1, 13)),  # to step 120
            line("syntax", 28.0, 105, pid=2, first_step=100),
        ],
    )
    kill = Kill(1, "worker", 1, time=22.4)
    (outage,) = outages_of(lives["syntax"], [kill], checkpoint_every=50)
    assert (outage.kills, outage.went_on_at, outage.lost_seen) == ((1,), 100, 20)
    assert (
        outage.lost_at_most == 20 + 19
    )  # 0.4 s since the last line, and 1.5 s that it may be late
    assert outage.allowed == 50 + 10
    assert round(outage.seconds, 1) == 5.6


def test_a_level_that_goes_down_by_itself_has_no_kill(tmp_path):
    lives = write(
        tmp_path / "journal",
        [line("syntax", 10.0, 40, pid=1), line("syntax", 20.0, 31, pid=2, first_step=30)],
    )
    others = [Kill(1, "worker", 7, time=15.0), Kill(2, "s3", 8, time=16.0)]
    (outage,) = outages_of(lives["syntax"], others, checkpoint_every=10)
    assert outage.kills == ()


def test_peers_are_compared_with_themselves_before_the_kill(tmp_path):
    peer = [line("semantics", 10.0 + t, 10 * t, pid=5) for t in range(30)]
    for each in peer[15:]:
        each["tokens_per_second"] = 80.0
    lives = write(
        tmp_path / "journal",
        [
            *(line("syntax", 10.0 + t, 10 * t, pid=1) for t in range(1, 14)),
            *peer,
            line("syntax", 34.0, 105, pid=2, first_step=100),
        ],
    )
    kill = Kill(1, "worker", 1, time=23.9)
    outages = outages_of(lives["syntax"], [kill], checkpoint_every=50)
    (pace,) = peer_paces(lives, outages, [kill])
    assert (pace.level, pace.kill) == ("semantics", 1)
    assert pooled([pace], "tokens_per_second") == 0.8
    assert pooled([pace], "steps_per_cpu_second") == 1.0


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "journal"
    path.write_text(json.dumps(line("syntax", 1.0, 1, pid=1)) + '\n{"level": "sy')
    assert [len(life) for life in read_lives(path)["syntax"]] == [1]
