"""What can stop a build or a deployment, said to the person who has to do something about it."""


class DeployError(Exception):
    """It was not built, or not deployed. What was deployed before is untouched."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
