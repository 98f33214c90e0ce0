"""The front that people's browsers reach: pages, and the calls that they make. It keeps no state of its own."""
