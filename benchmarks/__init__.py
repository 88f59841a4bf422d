"""Speed, shown side by side on one server in one run. `hub bench --list` names what there is."""
