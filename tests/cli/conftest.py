"""What the tests of commands borrow."""

from tests.alerts.conftest import certificate

__all__ = ["certificate"]
