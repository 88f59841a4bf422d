"""The worker of Hybrid Hub: carries what SQL decided out of the database."""
