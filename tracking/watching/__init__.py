"""What fixes show as they come: stays and trips, geofences, and whoever else looks at each courier."""
