from benchmarks.figures import spread
from benchmarks.live import ECHO, session
from benchmarks.memory import resident_mb
from benchmarks.traffic import StdioHost, free_port, http_host, running

CALLS = [{"name": "echo", "arguments": {"text": f"ünï {number}"}} for number in range(50)]
SAID = [call["arguments"]["text"] for call in CALLS]


def test_calls_in_flight_are_all_answered_and_told_apart() -> None:
    with session([ECHO["command"], *ECHO["args"]]) as host:
        assert host.start()["serverInfo"]["name"] == "echo"
        assert [tool["name"] for tool in host.request("tools/list")["tools"]] == ["echo"]
        traffic = StdioHost(host).keep(CALLS, 20)
        assert traffic.texts == SAID
        assert all(each > 0 for each in traffic.ms)
        assert 1 < resident_mb(host.process.pid) < 200


def test_calls_over_http_are_kept_in_flight_alike() -> None:
    port = free_port()
    with running([ECHO["command"], *ECHO["args"], "--http", str(port)]):
        traffic = http_host(f"http://127.0.0.1:{port}/mcp").keep(CALLS, 20)
    assert traffic.texts == SAID


def test_a_spread_is_a_median_and_a_tail() -> None:
    assert spread([1, 2, 3, 4, 100])["p50"] == 3
    assert spread([1, 2, 3, 4, 100])["p95"] > 50
