"""The places of a history, as the store's own tests have them."""

from tests.store.conftest import place, server

__all__ = ["place", "server"]
