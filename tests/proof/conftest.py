"""One running product for all of these tests; it takes seconds to start and nothing here changes what is public."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proof import product
from tests.proof.product import Product


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product.product(tmp_path_factory.mktemp("product")) as made:
        yield made
