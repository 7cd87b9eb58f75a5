"""`device.log`, the one question about devices that the database answers by itself.

It stands apart from the others because they load all that speaks with devices.
"""

from switch.console.commands import Args, CommandRefused, UseCase
from switch.store.read import StoreUnavailableError
from switch.store.read_devices import DeviceReader


def log(reader: DeviceReader) -> UseCase:
    """`device.log` by the database alone."""

    async def tell(args: Args) -> object:
        try:
            return await reader.story(str(args["device"]))
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None

    return tell
