"""Many clients at once: every key merges, every change has its own release, no version is lost."""

from concurrent.futures import ThreadPoolExecutor

from local.heroku import Simulator

from .platform_api import PlatformApi

CLIENTS = 24


def test_concurrent_patches_merge_per_key_with_one_release_each(
    simulator: Simulator, api: PlatformApi
) -> None:
    before = api.latest()["version"]

    def patch(number: int) -> int:
        client = PlatformApi(simulator)
        try:
            return client.patch({f"FLAG_{number}": "true"}).status_code
        finally:
            client.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(patch, range(CLIENTS)))

    versions = [release["version"] for release in api.releases()]
    assert set(statuses) == {200}
    assert api.config().keys() >= {f"FLAG_{number}" for number in range(CLIENTS)}
    assert versions == list(range(before + CLIENTS, 0, -1))
    assert [release["current"] for release in api.releases()].count(True) == 1


def test_an_answer_that_is_held_holds_up_nobody_else(
    simulator: Simulator, api: PlatformApi
) -> None:
    simulator.controls.arm("hang_after_apply", method="PATCH", seconds=0.3)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(api.patch, {"FLAG_A": "true"})
        other = PlatformApi(simulator)
        while "FLAG_A" not in other.config():
            pass
        was_held = not held.done()
        other.close()

    assert was_held
    assert held.result().status_code == 200
