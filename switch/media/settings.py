"""[media]: the pjsua2 workers that speak announcements."""

from typing import Self

from pydantic import Field, IPvAnyAddress, model_validator

from switch.settings import Section


class MediaSettings(Section):
    """`address` is where phones can send RTP to; a worker plays 4 calls (a limit of pjsua2's wheel).

    `reserved_workers` of the `workers` play nothing but the emergency warning. `sounds` is a
    directory of WAV files, relative to the configuration file; empty = made in the data directory.
    """

    address: IPvAnyAddress = Field(default="127.0.0.1", validate_default=True)
    workers: int = Field(default=2, ge=0, le=64)
    reserved_workers: int = Field(default=1, ge=0)
    sounds: str = ""

    @model_validator(mode="after")
    def _leaves_a_worker(self) -> Self:
        if self.workers and self.reserved_workers >= self.workers:
            raise ValueError("reserved_workers is less than workers")
        return self
