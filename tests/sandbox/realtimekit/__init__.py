"""A stand-in for Cloudflare RealtimeKit's REST API: strict, on loopback, with faults on demand."""
