"""The app of the people at the desk."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Users and their roles in projects."""

    name = "reviewdesk.people"
    label = "people"
    verbose_name = "People"
