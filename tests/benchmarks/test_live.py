from benchmarks.call_latency import burst
from benchmarks.figures import spread
from benchmarks.live import ECHO, session
from benchmarks.memory import resident_mb


def test_calls_in_flight_are_all_answered() -> None:
    with session([ECHO["command"], *ECHO["args"]]) as host:
        assert host.start()["serverInfo"]["name"] == "echo"
        assert [tool["name"] for tool in host.request("tools/list")["tools"]] == ["echo"]
        took = burst(host, {"name": "echo", "arguments": {"text": "x"}}, 50, 20)
        assert len(took) == 50
        assert all(each > 0 for each in took)
        assert 1 < resident_mb(host.process.pid) < 200


def test_a_spread_is_a_median_and_a_tail() -> None:
    assert spread([1, 2, 3, 4, 100])["p50"] == 3
    assert spread([1, 2, 3, 4, 100])["p95"] > 50
