"""Doors beside HTTP: gRPC and MQTT, for phones and for gateways of trackers; a process of its own."""
