"""Job types for generated clients. Their parameters have everything that a client has to express:
models within models, enumerations, fields that may be left out or null, defaults.

Two types have different models of the same name, and one is named like a schema of the API.
"""

import time
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

import zerog


class Currency(StrEnum):
    """A currency."""

    EUR = "eur"
    USD = "usd"


class Address(BaseModel):
    """A postal address."""

    street: str
    city: str
    zip_code: str | None = None


class Line(BaseModel):
    """One article of an invoice."""

    article: str = Field(min_length=1)
    count: int = Field(1, ge=1, le=100)
    price: float = 0.0


class SendInvoice(zerog.Job):
    """Send an invoice."""

    customer: str
    lines: list[Line]
    address: Address
    currency: Currency = Currency.EUR
    kind: Literal["mail", "paper"] = "mail"
    due: datetime | None = None
    labels: dict[str, str] = {}
    billing: Address | None = None

    def run(self, ctx: zerog.Context) -> dict[str, object]:
        """Return what the invoice says."""
        ctx.info("sending", customer=self.customer)
        total = sum(line.count * line.price for line in self.lines)
        return {"total": total, "currency": self.currency, "kind": self.kind, "due": self.due}


class CountWords(zerog.Job):
    """Count the words of a text."""

    text: str

    def run(self, ctx: zerog.Context) -> int:
        """Return how many there are."""
        return len(self.text.split())


class Hold(zerog.Job):
    """Run until it is cancelled."""

    def run(self, ctx: zerog.Context) -> None:
        """Wait for that."""
        while not ctx.cancelled:
            time.sleep(0.02)
        raise zerog.Cancelled


class Status(zerog.Job):
    """Look whether a machine answers."""

    class Address(BaseModel):
        """The address of a machine."""

        host: str
        port: int = 80

    address: Address

    def run(self, ctx: zerog.Context) -> str:
        """Return where it is."""
        return f"{self.address.host}:{self.address.port}"
