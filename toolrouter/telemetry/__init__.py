"""What toolrouter tells about its own work. Imports nothing of toolrouter; everybody may import it. Nothing is sent."""
