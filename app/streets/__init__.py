"""Streets from the installation's own tile file: made of an OpenStreetMap cut-out, served with no request elsewhere."""
