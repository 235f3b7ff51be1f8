"""Changes of a schema that are made at once: forward, back, and as a migration writes them."""

import pytest
from django.db import connection, models
from django.db.migrations import AddConstraint, AddField, CreateModel
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from traces.at_once import AtOnce

pytestmark = pytest.mark.django_db

CHANGES = AtOnce(
    [
        AddField("thing", "size", models.IntegerField(default=1)),
        AddConstraint(
            "thing",
            models.CheckConstraint(condition=models.Q(size__gt=0), name="thing_has_a_size"),
        ),
        CreateModel(
            "Part",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("thing", models.ForeignKey("traces.thing", models.CASCADE)),
            ],
        ),
    ]
)


def make_table() -> ProjectState:
    state = ProjectState()
    operation = CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))])
    before = state.clone()
    operation.state_forwards("traces", state)
    with connection.schema_editor() as editor:
        operation.database_forwards("traces", editor, before, state)
    return state


def found() -> tuple[set[str], set[str]]:
    with connection.cursor() as cursor:
        tables = {each.name for each in connection.introspection.get_table_list(cursor)}
        made = connection.introspection.get_constraints(cursor, "traces_thing")
    return tables & {"traces_thing", "traces_part"}, set(made) & {"thing_has_a_size"}


def test_every_change_is_made_and_taken_back():
    before = make_table()
    after = before.clone()
    CHANGES.state_forwards("traces", after)
    with connection.schema_editor() as editor:
        CHANGES.database_forwards("traces", editor, before, after)
    assert found() == ({"traces_thing", "traces_part"}, {"thing_has_a_size"})
    with connection.schema_editor() as editor:
        CHANGES.database_backwards("traces", editor, after, before)
    assert found() == ({"traces_thing"}, set())


def test_a_migration_writes_it_as_it_is():
    text, imports = MigrationWriter.serialize(CHANGES)
    assert text.startswith("traces.at_once.AtOnce(")
    assert "thing_has_a_size" in text
    assert "import traces.at_once" in imports
