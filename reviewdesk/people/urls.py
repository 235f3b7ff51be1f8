"""Addresses of signing in and of a person's own settings."""

from django.urls import path

from reviewdesk.people import first_run, views

app_name = "people"
urlpatterns = [
    path("sign-in/", views.sign_in, name="login"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("setup/<str:token>/", first_run.set_up, name="set_up"),
    path("welcome/<str:uidb64>/<str:token>/", views.set_password, name="set_password"),
    path("profile/", views.profile, name="profile"),
    path("profile/password/", views.change_password, name="change_password"),
    path("profile/password/changed/", views.password_changed, name="password_changed"),
]
