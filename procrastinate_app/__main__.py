"""`python -m procrastinate_app` is `hub`."""

from procrastinate_app.cli import app

app()
