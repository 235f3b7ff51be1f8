"""Many changes of a schema as one operation of a migration."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class AtOnce(Operation):
    """Operations that see the models as they are before the first and after the last of them.

    Django renders every related model anew after each operation, which made a hundred operations
    take half a minute of an empty database's first start. Here the models are rendered once.

    Fit for operations that can be taken back and need no state in between: a model is created with
    the fields, constraints and indexes that it has at the end, and no field is changed twice. Not
    for `RunPython`, nor for what must be outside a transaction.

    Args:
        operations: In the order in which the database is changed.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        """Take the operations."""
        self.operations = operations

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change the state; its models are rendered when somebody asks for them."""
        state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Change the database, one operation after the other."""
        for operation in self.operations:
            operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Take the changes back, the last first, each between the states that it stands between."""
        states = [to_state]
        for operation in self.operations:
            states.append(states[-1].clone())
            operation.state_forwards(app_label, states[-1])
        for operation, before, after in zip(
            reversed(self.operations), reversed(states[:-1]), reversed(states[1:]), strict=True
        ):
            operation.database_backwards(app_label, schema_editor, after, before)

    def describe(self) -> str:
        """Return what `migrate --plan` says of it."""
        return f"Make {len(self.operations)} changes at once"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return how it is written into a migration."""
        return self.__class__.__qualname__, [list(self.operations)], {}
