"""Where an address is, and which address is where: from the installation's own file, or from a service that is set."""
