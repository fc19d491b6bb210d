"""MQTT: phones that report by it, and brokers that bridge to us."""
