"""The largest batch is found by projection, to a sixteenth, in few trials."""

import pytest

from bench.plan.fit import Search

MIB = 2**20


def run(search: Search, fixed_mib: float, image_mib: float, limit_mib: float) -> list[int]:
    """Search on a machine where a batch needs that much; the sizes in the order in which they were tried."""
    order = []
    while (size := search.next()) is not None:
        needs = fixed_mib + image_mib * size
        assert size not in search.tried
        search.tried[size] = int(needs * MIB) if needs <= limit_mib else None
        order.append(size)
    return order


@pytest.mark.parametrize("limit_mib", [900, 2048, 19_000, 78_000])
@pytest.mark.parametrize("image_mib", [0.1, 13.0, 100.0])
@pytest.mark.parametrize("told", [True, False])
def test_the_largest_is_found_to_a_sixteenth(limit_mib: float, image_mib: float, told: bool) -> None:
    search = Search(start=32, cap=10**6, limit_bytes=int(limit_mib * MIB) if told else None)
    order = run(search, 500, image_mib, limit_mib)
    largest = int((limit_mib - 500) // image_mib)

    assert largest - max(1, search.fits // 16) < search.fits <= largest
    assert len(order) <= (8 if told else 25)


def test_a_batch_is_never_larger_than_the_data() -> None:
    search = Search(start=32, cap=2000, limit_bytes=10**12)
    run(search, 500, 1.0, 10**6)

    assert search.fits == 2000
    assert search.too_large == 2001


def test_nothing_fits() -> None:
    search = Search(start=32, cap=2000)
    order = run(search, 500, 1.0, 100)

    assert order == [32, 16, 8, 4, 2, 1]
    assert search.fits == 0


def test_a_search_goes_on_where_it_was() -> None:
    first = Search(start=32, cap=10**6, limit_bytes=2048 * MIB)
    order = run(first, 500, 13.0, 2048)
    again = Search(start=32, cap=10**6, limit_bytes=2048 * MIB, tried=dict(list(first.tried.items())[:2]))

    assert run(again, 500, 13.0, 2048) == order[2:]
