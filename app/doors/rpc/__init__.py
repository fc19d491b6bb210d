"""gRPC: the API's own requests, as the .proto names them."""
