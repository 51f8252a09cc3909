"""Operations that nobody implements are refused in words that a client understands."""

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from .patching import replaces


class MissingOperation(ServiceException):
    """The sandbox does not have this operation."""

    code = "NotImplemented"


@replaces(BaseResponse)
def call_action(original, self):
    """moto answers with a page of HTML, which clients take for a broken server and retry."""
    try:
        return original(self)
    except NotImplementedError:
        name = f"{self.service_name}:{self._get_action()}"
        error = MissingOperation(f"The sandbox does not have {name}.")
        status, headers, body = self.serialized(ActionResult(error))
        return status, headers, body
