"""Small real servers that misbehave in one chosen way each. Started as processes by the tests of `upstream`."""
